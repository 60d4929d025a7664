// y = x W^T + b, W [out, in] as in PyTorch.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cria/kernels/kernels.h"
#include "cria/nn/layer.h"
#include "cria/nn/packed_weight.h"
#include "cria/tensor/parameters.h"

namespace cria {

struct LinearOutput {
  std::string name;  // without ".weight"
  int64_t features;
};

// Several outputs of the same input (q, k and v; gate and up) are one matrix product: their
// weights are neighbours in memory, and each keeps its own name.
struct Linear {
  std::vector<Parameter*> weight;  // together [out, in]
  std::vector<Parameter*> bias;    // together [out]; empty: no bias
  int64_t in_features = 0;
  int64_t out_features = 0;
  Precision precision = Precision::fp32;

  struct Saved {
    PackedWeight forward, backward;  // W as the two products with it read it
  };

  Linear() = default;
  Linear(Parameters& parameters, std::span<const LinearOutput> outputs, int64_t in_features,
         bool has_bias, double std, Precision precision);

  // epilogue: what a layer gives to product(), see below.
  Saved plan(Plan& plan, int64_t, int64_t, Gemm::Epilogue epilogue = Gemm::Epilogue::none) const;

  // x [..., in] -> out [..., out] = x W^T + b + addend. addend: none, or shaped as out (out itself
  // to accumulate, another tensor for a residual).
  void forward(const ConstTensor& x, const Tensor& out, Saved& saved,
               const ConstTensor& addend = {}) const;

  // dW += dout^T x,  db += sum of the rows of dout,  dx = dout W. dx may be x.
  void backward(const ConstTensor& dout, const ConstTensor& x, Saved& saved,
                const Tensor& dx) const;

  // The parts of the two, for a layer that gives a product an epilogue and then hands it, with the
  // version of the weight, to saved.forward or saved.backward.
  Gemm product(const ConstTensor& x, const Tensor& out, const ConstTensor& addend = {}) const;
  Gemm input_gradient(const ConstTensor& dout, const Tensor& dx) const;
  int64_t version() const;
  void accumulate_gradients(const ConstTensor& dout, const ConstTensor& x) const;
};

}  // namespace cria
