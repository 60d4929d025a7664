// From tokens to the residual stream:
//   x = dropout(norm(position(embedding_scale W[tokens])))
// with the norm as an option. Everything that acts on embedded tokens before the first block.
#pragma once

#include <optional>

#include "cria/nn/dropout.h"
#include "cria/nn/embedding.h"
#include "cria/nn/rms_norm.h"
#include "cria/position/position.h"

namespace cria {

struct InputConfig {
  bool norm = false;
  double rms_norm_eps = 0;
  double dropout = 0;
};

struct Input {
  Embedding embed_tokens;              // holds the scale
  const Position* position = nullptr;  // added, where the encoding does that
  std::optional<RmsNorm> norm;
  Dropout dropout;

  struct Saved {
    Embedding::Saved embed_tokens;
    Tensor embedded;  // [B,T,C]: what norm reads; only with a norm
    RmsNorm::Saved norm;
  };

  Input() = default;
  // Registers the norm, "model.embed_norm.weight"; the table and what the encoding learns come
  // before it.
  Input(Parameters& parameters, const InputConfig& config, const Embedding& embed_tokens,
        const Position& position);

  Saved plan(Plan& plan, int64_t batch, int64_t time) const;

  // tokens [B,T] at positions first .. first + T - 1 -> out [B,T,C]; with documents, at the
  // positions in them.
  void forward(const TokenIds& tokens, int64_t first, const Tensor& out, Saved& saved,
               const PassContext& pass) const;
  // The forward must have begun at position 0. dout [B,T,C] is used up.
  void backward(const Tensor& dout, const TokenIds& tokens, Saved& saved,
                const PassContext& pass) const;
};

}  // namespace cria
