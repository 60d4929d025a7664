// Causal self-attention with grouped key/value heads:
//   out = O(attention(P(Q x), P(K x), V x)) + addend,  P the position encoding.
// Source: Vaswani et al., 2017; grouped heads: Ainslie et al., 2023.
#pragma once

#include <string>

#include "cria/kernels/kernels.h"
#include "cria/nn/dropout.h"
#include "cria/nn/linear.h"
#include "cria/position/position.h"

namespace cria {

// Keys and values of the tokens a sequence has already seen.
struct KvCache {
  Tensor k, v;         // [B, capacity, K, D]; keys as the position encoding left them
  int64_t length = 0;  // positions filled
  RelativeTables relative;
};

struct AttentionConfig {
  std::string name;  // "model.layers.0.self_attn"
  int64_t layer = 0;
  int64_t hidden_size = 0;
  int64_t heads = 0, kv_heads = 0, head_dim = 0;  // heads: a multiple of kv_heads
  bool bias = false;
  double dropout = 0;                     // of the probabilities
  int64_t memory_length = 0;              // positions before the first query, at most
  double std = 0, residual_std = 0;       // of q/k/v and of the output projection
  Precision precision = Precision::fp32;  // of the projections; scores are always fp32
};

struct SelfAttention {
  AttentionConfig config;
  const Position* position = nullptr;
  Linear qkv_proj;  // q_proj, k_proj, v_proj
  Dropout dropout;  // inside the attention kernel
  Linear o_proj;

  struct Saved {
    Tensor qkv;          // [B, M+T, (H + 2K) D]
    Tensor context;      // [B, T, H D]: attention's output before o_proj
    Tensor log_sum_exp;  // [B, H, T]
    Tensor dqkv;         // scratch, as qkv
    Tensor dcontext;     // scratch, as context
    Tensor delta;        // scratch, as log_sum_exp
    RelativeTables relative;
    Linear::Saved qkv_proj, o_proj;
  };

  SelfAttention() = default;
  // Error naming the layer unless heads and widths are as AttentionConfig says.
  SelfAttention(Parameters& parameters, const AttentionConfig& config, Position& position);

  Saved plan(Plan& plan, int64_t batch, int64_t time) const;

  // x [B,M+T,C] -> out [B,T,C]: the first M positions are a memory, of which only keys and values
  // are needed. With a cache, x holds the tokens after cache->length; their keys and values are
  // appended, and there is no backward.
  void forward(const ConstTensor& x, const Tensor& out, Saved& saved, const PassContext& pass,
               const ConstTensor& addend = {}, KvCache* cache = nullptr) const;
  // dout [B,T,C] -> dx [B,M+T,C]
  void backward(const ConstTensor& dout, const ConstTensor& x, Saved& saved,
                const PassContext& pass, const Tensor& dx) const;

  // The parts of the two, to be timed alone. Heads: views of qkv [B, T, (H + 2K) D].
  struct Heads {
    Tensor q, k, v;  // [B,T,H,D], [B,T,K,D], [B,T,K,D]
  };
  Heads split_heads(const Tensor& qkv) const;
  Attention arguments(const Heads& heads, const Tensor& context, const Tensor& log_sum_exp,
                      const RelativeTables& relative, const PassContext& pass) const;
};

}  // namespace cria
