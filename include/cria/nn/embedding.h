// Token ids to vectors: PyTorch's nn.Embedding(V, C, padding_idx).
#pragma once

#include <optional>
#include <string>

#include "cria/tensor/parameters.h"
#include "cria/tensor/tensor.h"

namespace cria {

using TokenIds = BasicTensor<const int32_t>;  // [B,T]

// nn.Embedding's arguments, with PyTorch's names and defaults.
struct EmbeddingOptions {
  std::optional<int64_t> padding_idx;  // negative: from the end
  std::optional<double> max_norm;
  double norm_type = 2.0;  // may be infinite
  bool scale_grad_by_freq = false;
  bool sparse = false;
  bool freeze = false;  // from_pretrained's: no gradient

  bool operator==(const EmbeddingOptions&) const = default;
};

struct Embedding {
  Parameter* weight = nullptr;  // [V,C]
  int64_t padding_idx = -1;     // this row starts at zero and receives no gradient; -1: none

  Embedding() = default;
  // padding_idx is in [0, V) or -1.
  Embedding(Parameters& parameters, const std::string& name, int64_t num_embeddings,
            int64_t embedding_dim, int64_t padding_idx, double std);

  // ids [B,T] -> out [B,T,C], out[b,t] = weight[ids[b,t]]. Error naming batch, position and id
  // when an id is outside [0, V), before anything is written.
  void forward(const TokenIds& ids, const Tensor& out) const;

  // dweight[k] += sum of dout[b,t] over the positions with ids[b,t] == k, except padding_idx.
  void backward(const ConstTensor& dout, const TokenIds& ids) const;
};

}  // namespace cria
