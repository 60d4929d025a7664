#include "cria/nn/packed_weight.h"

namespace cria {

PackedWeight::PackedWeight(Plan& plan, const Gemm& product) {
  if (plan.repeats_weights) {
    memory_ = plan.saved.take_floats(kernels().gemm_packed_b_floats(product));
  }
}

void PackedWeight::multiply(Gemm product, int64_t version) {
  if (memory_) {
    if (packed_version_ != version) kernels().gemm_pack_b(product, memory_);
    packed_version_ = version;
    product.b_packed = memory_;
  }
  kernels().gemm(product);
}

}  // namespace cria
