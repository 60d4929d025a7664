// A product of a few rows with rows of B that are contiguous, y = x W^T: a token's way through a
// weight. It takes as long as W takes to come from memory, so W is read once, in its order, by all
// threads, and not packed.
//
// A group of kWidth columns of C, the rows of W that it comes from, is what a thread takes at
// least. For each block of rows of x it stays in the cache. A sum is one vector of products along
// K, whose lanes are added at the end, so it is the same for any number of rows and of threads.
#pragma once

#include "cria/base/parallel.h"
#include "cria/kernels/kernels.h"
#include "kernels/generic/cells.h"
#include "kernels/generic/epilogue.h"

namespace cria::CRIA_ISA {
namespace {

// More rows take longer to compute this way than it takes to pack W; in bf16 the limit comes
// sooner, since numbers are rounded again for each row.
constexpr int64_t kFewRows = 8, kFewRoundedRows = 4;

inline bool has_few_rows(const Gemm& g) {
  return g.m <= (g.precision == Precision::bf16 ? kFewRoundedRows : kFewRows) && g.a_column == 1 &&
         g.b_row == 1;
}

// Rows of W that are read side by side: their sums with kRows <= 4 rows of x are in registers, of
// which there are 32 where a product's block has more than 16 vectors.
constexpr int64_t kStreams = RegisterBlock::kMR * RegisterBlock::kNR > 16 * kWidth ? 4 : 2;

// sums[i][j] = the products of row i of x and row j of a group of W, not yet added up. `lanes` rows
// of the group exist; the others repeat the last.
template <class Cells, int64_t kRows>
inline void multiply_group(const Gemm& g, int64_t row, int64_t column, int64_t lanes,
                           Vector (&sums)[kRows][kWidth]) {
  const float* x = g.a + row * g.a_row;
  for (int64_t j0 = 0; j0 < kWidth; j0 += kStreams) {
    const float* w[kStreams];
    for (int64_t j = 0; j < kStreams; ++j) {
      w[j] = g.b + (column + min(j0 + j, lanes - 1)) * g.b_column;
    }
    Vector total[kRows][kStreams] = {};
    const auto step = [&](int64_t k, int64_t count) {
      Vector factor[kStreams];
      CRIA_UNROLL
      for (int64_t j = 0; j < kStreams; ++j) {
        __builtin_prefetch(w[j] + kStreams * g.b_column + k, 0, 3);
        factor[j] = Cells::row(w[j] + k, count);
      }
      CRIA_UNROLL
      for (int64_t i = 0; i < kRows; ++i) {
        const Vector a = Cells::row(x + i * g.a_row + k, count);
        CRIA_UNROLL
        for (int64_t j = 0; j < kStreams; ++j) {
          total[i][j] = Cells::multiply_add(total[i][j], a, factor[j]);
        }
      }
    };
    for_vectors(
        g.k, [&](int64_t k) { step(k, kWidth); }, step);
    CRIA_UNROLL
    for (int64_t i = 0; i < kRows; ++i) {
      CRIA_UNROLL
      for (int64_t j = 0; j < kStreams; ++j) sums[i][j0 + j] = total[i][j];
    }
  }
}

template <class Cells, int64_t kRows>
inline void finish_group(const Gemm& g, int64_t row, int64_t column, int64_t lanes) {
  Vector sums[kRows][kWidth];
  multiply_group<Cells, kRows>(g, row, column, lanes, sums);
  for (int64_t i = 0; i < kRows; ++i) {
    const Vector value = sum_each(sums[i]);
    finish_block(g, {row + i, 1, column, lanes, true, true}, &value, 1);
  }
}

// Groups [begin, end); of silu_mul's two halves together.
template <class Cells>
inline void multiply_groups(const Gemm& g, int64_t begin, int64_t end) {
  const int64_t columns = half_columns(g);
  for (int64_t group = begin; group < end; ++group) {
    const int64_t lanes = min(kWidth, columns - group * kWidth);
    for (int64_t h = 0; h < halves(g); ++h) {
      const int64_t column = h * columns + group * kWidth;
      int64_t row = 0;
      for (; row + 4 <= g.m; row += 4) finish_group<Cells, 4>(g, row, column, lanes);
      for (; row + 2 <= g.m; row += 2) finish_group<Cells, 2>(g, row, column, lanes);
      for (; row < g.m; ++row) finish_group<Cells, 1>(g, row, column, lanes);
    }
  }
}

inline void multiply_few_rows(const Gemm& g) {
  constexpr int64_t kWork = 16 * 1024;  // multiply-adds that are worth a thread's attention
  const int64_t work = kWidth * halves(g) * g.k * g.m;
  compute_for(ceil_div(half_columns(g), kWidth), max(1, kWork / max(1, work)),
              [&](int64_t begin, int64_t end, int) {
                if (g.precision == Precision::bf16) {
                  multiply_groups<RoundedCells>(g, begin, end);
                } else {
                  multiply_groups<Fp32Cells>(g, begin, end);
                }
              });
}

}  // namespace
}  // namespace cria::CRIA_ISA
