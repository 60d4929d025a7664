// Ids to vectors: PyTorch's nn.Embedding, with all its arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cria/nn/layer.h"
#include "cria/tensor/parameters.h"
#include "cria/tensor/tensor.h"

namespace cria {

// nn.Embedding's arguments, under its names and with its defaults.
struct EmbeddingOptions {
  // This row starts at zero, and looking it up gives it no gradient. It is looked up like any
  // other, and a tied head's gradient, weight decay and max_norm still change it, as in PyTorch.
  // Negative: from the end.
  std::optional<int64_t> padding_idx = {};

  // forward first shrinks each row that it looks up to at most this norm, in place: in evaluation
  // too, padding and frozen rows too. The gradient is taken as if the table had always been so.
  std::optional<double> max_norm = {};
  double norm_type = 2.0;  // p of that norm, > 0; may be infinity

  // The gradient of a row is the mean over its occurrences in the call, not the sum.
  bool scale_grad_by_freq = false;

  // The gradient is recorded as that of the rows used: see AdamWOptimizer for what follows. With a
  // dense gradient by another path (a tied head), all rows count as used.
  bool sparse = false;

  // No gradient, and the optimizer leaves the table alone. (An argument of PyTorch's
  // from_pretrained, where the default is true.)
  bool freeze = false;

  // Multiplies the gradient of the rows looked up, and not what a tied head adds to it. (No
  // argument of PyTorch's.)
  double gradient_scale = 1.0;

  bool operator==(const EmbeddingOptions&) const = default;
};

struct Embedding {
  Parameter* weight = nullptr;  // [V,C]
  EmbeddingOptions options;     // padding_idx, if any, is in [0, V)
  float scale = 1.0f;

  // What max_norm and scale_grad_by_freq need, and otherwise nothing: the distinct ids of a call.
  // A set that is emptied at no cost, however many rows the table has: k is in it if
  // distinct[place[k]] is k. Source: Briggs & Torczon, An Efficient Representation for Sparse Sets,
  // 1993.
  struct Saved {
    int64_t capacity = 0;         // ids in a call, at most
    int64_t distinct_count = 0;   //
    int32_t* place = nullptr;     // [V]
    int32_t* distinct = nullptr;  // [distinct_count], in the order of first occurrence
    int32_t* count = nullptr;     // [distinct_count]: occurrences
    float* factor = nullptr;      // scratch, [N]: of each id's gradient
  };

  Embedding() = default;

  // The table starts as N(0, std^2); scale multiplies every row looked up, and so its gradient.
  // Error naming the parameter and the argument when an argument is out of its range, and when
  // sparse meets scale_grad_by_freq (which PyTorch refuses in backward).
  Embedding(Parameters& parameters, const std::string& name, int64_t num_embeddings,
            int64_t embedding_dim, const EmbeddingOptions& options, double std = 1.0,
            double scale = 1.0);

  // PyTorch's from_pretrained, to be called when the parameters are allocated and initialized:
  // copies rows, whose shape must be the table's (Error naming both). The padding row is taken as
  // it is.
  void load_pretrained(const ConstTensor& rows) const;

  Saved plan(Plan& plan, int64_t batch, int64_t time) const;  // at most batch * time ids

  // ids of any shape S of rank 0 to 3 -> out S + [C], out[s] = scale weight[ids[s]]. Error naming
  // the place of an id outside [0, V), before anything is written or renormalised.
  void forward(const TokenIds& ids, const Tensor& out, Saved& saved) const;

  // dweight[k] += scale gradient_scale times the sum of dout[s] over the places s with ids[s] == k
  // (their mean when scale_grad_by_freq), except padding_idx; nothing when frozen.
  void backward(const ConstTensor& dout, const TokenIds& ids, Saved& saved) const;

 private:
  void find_distinct(const TokenIds& ids, Saved& saved) const;
  void renormalize(const Saved& saved) const;
};

}  // namespace cria
