// The most arithmetic that a core can do: what the speed of everything else is measured against.
#pragma once

#include "cria/kernels/kernels.h"
#include "kernels/generic/microkernel.h"

namespace cria::CRIA_ISA {
namespace {

// As many sums as the microkernel has, and nothing to load.
template <class Cells>
inline double multiply_add_rounds(int64_t rounds) {
  constexpr int64_t kSums = kPanelM * kPanelVectors;
  const volatile float zero = 0;
  const Vector a = broadcast(zero), b = broadcast(zero);
  Vector sum[kSums];  // all different, or one would do for all
  CRIA_UNROLL
  for (int64_t i = 0; i < kSums; ++i) sum[i] = broadcast(static_cast<float>(i));
  for (int64_t round = 0; round < rounds; ++round) {
    CRIA_UNROLL
    for (int64_t i = 0; i < kSums; ++i) sum[i] = Cells::multiply_add(sum[i], a, b);
  }
  Vector total{};
  CRIA_UNROLL
  for (int64_t i = 0; i < kSums; ++i) total += sum[i];
  volatile float sink = total[0];
  (void)sink;
  return static_cast<double>(rounds * kSums * kWidth * Cells::kNumbers * 2);
}

inline double multiply_add_loop(Precision precision, int64_t rounds) noexcept {
  return precision == Precision::bf16 ? multiply_add_rounds<Bf16Cells>(rounds)
                                      : multiply_add_rounds<Fp32Cells>(rounds);
}

}  // namespace
}  // namespace cria::CRIA_ISA
