// The most arithmetic that a core can do: what the speed of everything else is measured against.
#pragma once

#include "cria/kernels/kernels.h"
#include "kernels/generic/microkernel.h"
#include "kernels/generic/tiles.h"

namespace cria::CRIA_ISA {
namespace {

// The loop keeps as many sums as the microkernel does and loads nothing, so it shows the peak.
template <class Cells>
inline double multiply_add_rounds(int64_t rounds) {
  constexpr int64_t kSums = Cells::kMR * Cells::kNR / kWidth;
  const volatile float zero = 0;
  const Vector b = broadcast(zero);
  Vector a = b;
  Vector sum[kSums];  // all different, or one would do for all
  CRIA_UNROLL
  for (int64_t i = 0; i < kSums; ++i) sum[i] = broadcast(static_cast<float>(i));
  for (int64_t round = 0; round < rounds; ++round) {
    CRIA_UNROLL
    for (int64_t i = 0; i < kSums; ++i) {
#ifdef __SSE__
      // Seems to change a: without fused multiply-adds, a b would be computed once for all sums.
      asm volatile("" : "+x"(a));
#endif
      sum[i] = Cells::multiply_add(sum[i], a, b);
    }
  }
  Vector total{};
  CRIA_UNROLL
  for (int64_t i = 0; i < kSums; ++i) total += sum[i];
  volatile float sink = total[0];
  (void)sink;
  return static_cast<double>(rounds * kSums * kWidth * Cells::kNumbers * 2);
}

#if CRIA_TILES
// The same in tiles: one step after another of the largest block, from the first-level cache.
inline double multiply_tile_rounds(int64_t rounds) {
  constexpr int64_t kSteps = 8;
  alignas(64) float factors[kSteps * TileCells::kMR * TileCells::kStep] = {};
  alignas(64) float sums[TileCells::kMR * TileCells::kNR];
  const TilesInUse tiles;
  for (int64_t round = 0; round < rounds; round += kSteps) {
    multiply_tiles<2, 2>({.a = factors,
                          .a_step = TileCells::kMR * TileCells::kStep,
                          .b = factors,
                          .b_row = TileCells::kNR,
                          .steps = min(kSteps, rounds - round)},
                         sums, TileCells::kNR);
  }
  volatile float sink = sums[0];
  (void)sink;
  return static_cast<double>(rounds * TileCells::kMR * TileCells::kNR * TileCells::kStep *
                             TileCells::kNumbers * 2);
}
#endif

inline double multiply_add_loop(Precision precision, int64_t rounds) noexcept {
  if (precision == Precision::fp32) return multiply_add_rounds<Fp32Cells>(rounds);
#if CRIA_TILES
  return multiply_tile_rounds(rounds);
#else
  return multiply_add_rounds<Bf16Cells>(rounds);
#endif
}

}  // namespace
}  // namespace cria::CRIA_ISA
