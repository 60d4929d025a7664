// A weight as the matrix product reads it, packed once for all products until the weights change:
// for the micro-batches of a step.
#pragma once

#include "cria/kernels/kernels.h"
#include "cria/nn/layer.h"

namespace cria {

class PackedWeight {
 public:
  PackedWeight() = default;

  // Serves products like this one (n, k, precision and epilogue count), if the plan is for several
  // passes with the same weights; otherwise each product packs for itself, and needs no memory.
  PackedWeight(Plan& plan, const Gemm& product);

  // Runs the product, of which b is the weight, of this version (see Parameter).
  void multiply(Gemm product, int64_t version);

 private:
  float* memory_ = nullptr;
  int64_t packed_version_ = -1;
};

}  // namespace cria
