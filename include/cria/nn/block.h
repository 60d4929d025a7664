// One decoder block:
//   middle = x + dropout(attention(norm(x))),  out = middle + dropout(mlp(norm(middle)))
#pragma once

#include <string>

#include "cria/nn/attention.h"
#include "cria/nn/dropout.h"
#include "cria/nn/rms_norm.h"
#include "cria/nn/swiglu.h"

namespace cria {

struct BlockConfig {
  std::string name;  // "model.layers.0"
  int64_t layer = 0;
  int64_t hidden_size = 0, intermediate_size = 0;
  int64_t heads = 0, kv_heads = 0, head_dim = 0;
  double rms_norm_eps = 0;
  bool attention_bias = false, mlp_bias = false;
  double attention_dropout = 0, residual_dropout = 0;
  int64_t memory_length = 0;
  double std = 0, residual_std = 0;  // see Initialization; residual_std: o_proj and down_proj
  Precision precision = Precision::fp32;
};

struct Block {
  RmsNorm input_layernorm;
  SelfAttention self_attn;
  Dropout attention_residual_dropout;  // of what attention adds
  RmsNorm post_attention_layernorm;
  SwiGlu mlp;
  Dropout mlp_residual_dropout;  // of what the MLP adds

  struct Saved {
    RmsNorm::Saved input_layernorm;
    Tensor joined;           // [B,M+T,C]: memory and x, where there may be a memory
    int64_t remembered = 0;  // M of this pass
    Tensor attention_in;     // [B,M+T,C]: norm of joined, or of x
    SelfAttention::Saved self_attn;
    Tensor middle;  // [B,T,C]
    RmsNorm::Saved post_attention_layernorm;
    Tensor mlp_in;  // [B,T,C]: norm(middle)
    SwiGlu::Saved mlp;
    Tensor dnorm;    // scratch, [B,M+T,C]: gradient of a norm's output
    Tensor dbranch;  // scratch, [B,T,C]: gradient of what a dropout reads; null without dropout
  };

  Block() = default;
  Block(Parameters& parameters, const BlockConfig& config, Position& position);

  Saved plan(Plan& plan, int64_t batch, int64_t time) const;

  // x [B,T,C] -> out [B,T,C]; out may be x when there is no backward. memory [B,M,C]: what x was at
  // the positions before, for attention to see; none by default.
  void forward(const ConstTensor& x, const Tensor& out, Saved& saved, const PassContext& pass,
               KvCache* cache = nullptr, const ConstTensor& memory = {}) const;
  // dx may be dout: the blocks go down with one gradient buffer.
  void backward(const ConstTensor& dout, const ConstTensor& x, Saved& saved,
                const PassContext& pass, const Tensor& dx) const;
};

}  // namespace cria
