// Dropout: in training each element is 0 with probability rate, and otherwise scaled by
// 1 / (1 - rate), so that its mean stays. Source: Srivastava et al., 2014.
#pragma once

#include <cstdint>
#include <string>

#include "cria/kernels/kernels.h"
#include "cria/nn/layer.h"

namespace cria {

// Which elements are dropped depends on the layer's name, on the pass (see PassRandomness) and on
// the element's index in the tensor, and on nothing else: backward needs no mask from forward.
struct Dropout {
  double rate = 0;      // in [0, 1)
  uint64_t stream = 0;  // of random numbers: the hash of the name

  Dropout() = default;
  // Error naming the layer when rate is not in [0, 1).
  Dropout(const std::string& name, double rate);

  // Whether this pass drops anything. Where it does not, callers may leave the layer out.
  bool is_active(const PassContext& pass) const { return rate > 0 && pass.randomness.active; }

  // The mask of this pass; of one that drops nothing, the mask that keeps everything.
  DropoutMask mask(const PassContext& pass) const;

  // out = mask x + addend, all of one shape and contiguous; out may be x or addend.
  void forward(const ConstTensor& x, const Tensor& out, const PassContext& pass,
               const ConstTensor& addend = {}) const;
  // dx = mask dout; dx may be dout. (The addend's gradient is dout.)
  void backward(const ConstTensor& dout, const PassContext& pass, const Tensor& dx) const;
};

}  // namespace cria
