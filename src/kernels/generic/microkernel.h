// The innermost loop: a block of MR x NR of C, sums of products kept in registers.
#pragma once

#include "kernels/generic/cells.h"

namespace cria::CRIA_ISA {
namespace {

// Up to MR rows of A. Cell k of row i is row[i][k * step], so that A may be a panel as packed or
// lie where it is. Rows that are not there repeat the last one that is.
template <class Cells>
struct PanelA {
  const float* row[Cells::kMR];
  int64_t step;

  PanelA(const float* first, int64_t row_stride, int64_t rows, int64_t step_) : step(step_) {
    for (int64_t i = 0; i < Cells::kMR; ++i) row[i] = first + min(i, rows - 1) * row_stride;
  }
};

// sum[i][j] = sum over `depth` cells of A's row i times vector j of a panel of B.
template <class Cells, int64_t kVectors>
CRIA_INLINE void microkernel(int64_t depth, const PanelA<Cells>& a, const float* __restrict b,
                             int64_t b_width, Vector (&sum)[Cells::kMR][kVectors]) {
  constexpr int64_t kMR = Cells::kMR;
  const float* row[kMR];
  CRIA_UNROLL
  for (int64_t i = 0; i < kMR; ++i) row[i] = a.row[i];
  CRIA_UNROLL
  for (int64_t i = 0; i < kMR; ++i) {
    CRIA_UNROLL
    for (int64_t j = 0; j < kVectors; ++j) sum[i][j] = Vector{};
  }
  int64_t at = 0;
  for (int64_t k = 0; k < depth; ++k, at += a.step, b += b_width) {
    Vector right[kVectors];
    CRIA_UNROLL
    for (int64_t j = 0; j < kVectors; ++j) right[j] = load(b + j * kWidth);
    CRIA_UNROLL
    for (int64_t i = 0; i < kMR; ++i) {
      const Vector left = broadcast(row[i][at]);
      CRIA_UNROLL
      for (int64_t j = 0; j < kVectors; ++j) {
        sum[i][j] = Cells::multiply_add(sum[i][j], left, right[j]);
      }
    }
  }
}

}  // namespace
}  // namespace cria::CRIA_ISA
