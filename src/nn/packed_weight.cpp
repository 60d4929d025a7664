#include "cria/nn/packed_weight.h"

namespace cria {

PackedWeight::PackedWeight(Plan& plan, const Gemm& product)
    : weights_version_(plan.weights_version) {
  if (weights_version_) {
    memory_ = plan.saved.take({kernels().gemm_packed_b_floats(product)}).data;
  }
}

void PackedWeight::multiply(Gemm product) {
  if (memory_) {
    if (packed_version_ != *weights_version_) kernels().gemm_pack_b(product, memory_);
    packed_version_ = *weights_version_;
    product.b_packed = memory_;
  }
  kernels().gemm(product);
}

}  // namespace cria
