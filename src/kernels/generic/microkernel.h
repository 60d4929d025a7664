// The innermost loop: a block of kPanelM x kPanelVectors vectors of sums of products, kept in
// registers.
#pragma once

#include "kernels/generic/cells.h"

namespace cria::CRIA_ISA {
namespace {

constexpr int64_t kPanelM = CRIA_GEMM_ROWS;
constexpr int64_t kPanelVectors = CRIA_GEMM_VECTORS;

// Columns of a panel of B when there are `columns` in all: kPanelVectors vectors, or fewer if that
// makes the panels even (four vectors are two and two).
inline int64_t panel_width(int64_t columns) {
  const int64_t vectors = ceil_div(columns, kWidth);
  return ceil_div(vectors, ceil_div(vectors, kPanelVectors)) * kWidth;
}

// Up to kPanelM rows of A. Cell k of row i is row[i][k * step], so that A may be a panel as packed
// or lie where it is. Rows that are not there repeat the last one that is.
struct PanelA {
  const float* row[kPanelM];
  int64_t step;
};

inline PanelA panel_a(const float* first, int64_t row_stride, int64_t rows, int64_t step) {
  PanelA panel;
  for (int64_t i = 0; i < kPanelM; ++i) panel.row[i] = first + min(i, rows - 1) * row_stride;
  panel.step = step;
  return panel;
}

// sum[i][j] = sum over `depth` cells of A's row i times vector j of a panel of B.
template <class Cells, int64_t kVectors>
CRIA_INLINE void microkernel(int64_t depth, const PanelA& a, const float* __restrict b,
                             int64_t b_width, Vector (&sum)[kPanelM][kVectors]) {
  const float* row[kPanelM];
  CRIA_UNROLL
  for (int64_t i = 0; i < kPanelM; ++i) row[i] = a.row[i];
  CRIA_UNROLL
  for (int64_t i = 0; i < kPanelM; ++i) {
    CRIA_UNROLL
    for (int64_t j = 0; j < kVectors; ++j) sum[i][j] = Vector{};
  }
  int64_t at = 0;
  for (int64_t k = 0; k < depth; ++k, at += a.step, b += b_width) {
    Vector right[kVectors];
    CRIA_UNROLL
    for (int64_t j = 0; j < kVectors; ++j) right[j] = load(b + j * kWidth);
    CRIA_UNROLL
    for (int64_t i = 0; i < kPanelM; ++i) {
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
