// The innermost loop: a block of MR x NR of C, sums of products kept in registers.
#pragma once

#include "kernels/generic/cells.h"

namespace cria::CRIA_ISA {
namespace {

// MR rows of A. Cell k of row i is first[i * row + k * step], so that A may be a panel as packed or
// lie where it is.
struct PanelA {
  const float* first;
  int64_t row, step;
};

// sum[i][j] = sum over `depth` cells of A's row i times vector j of a panel of B.
//
// Three rows share a pointer, because an address may add a stride, once or twice: with a pointer
// for each row, those of 16 registers would be read from the stack at each step. A panel of B
// streams from L2, and is asked for some rows ahead.
template <class Cells, int64_t kVectors>
CRIA_INLINE void microkernel(int64_t depth, const PanelA& a, const float* __restrict b,
                             int64_t b_width, Vector (&sum)[Cells::kMR][kVectors]) {
  constexpr int64_t kMR = Cells::kMR, kShare = 3, kAhead = 8;
  const float* rows[ceil_div(kMR, kShare)];
  CRIA_UNROLL
  for (int64_t i = 0; i < kMR; i += kShare) rows[i / kShare] = a.first + i * a.row;
  CRIA_UNROLL
  for (int64_t i = 0; i < kMR; ++i) {
    CRIA_UNROLL
    for (int64_t j = 0; j < kVectors; ++j) sum[i][j] = Vector{};
  }
  for (int64_t k = 0; k < depth; ++k, b += b_width) {
    CRIA_UNROLL
    for (int64_t j = 0; j < kVectors * kWidth; j += 16) {
      __builtin_prefetch(b + kAhead * b_width + j, 0, 3);
    }
    Vector right[kVectors];
    CRIA_UNROLL
    for (int64_t j = 0; j < kVectors; ++j) right[j] = load(b + j * kWidth);
    CRIA_UNROLL
    for (int64_t i = 0; i < kMR; ++i) {
      const Vector left = broadcast(rows[i / kShare][i % kShare * a.row]);
      CRIA_UNROLL
      for (int64_t j = 0; j < kVectors; ++j) {
        sum[i][j] = Cells::multiply_add(sum[i][j], left, right[j]);
      }
    }
    CRIA_UNROLL
    for (const float*& row : rows) row += a.step;
  }
}

}  // namespace
}  // namespace cria::CRIA_ISA
