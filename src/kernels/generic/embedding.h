// Rows out of a table, and gradients back into it.
#pragma once

#include "cria/base/parallel.h"
#include "kernels/generic/elementwise.h"

namespace cria::CRIA_ISA {
namespace {

inline void embedding_gather(int64_t rows, int64_t columns, const int32_t* ids, const float* table,
                             float* out) noexcept {
  parallel_for(rows, row_grain(columns), [=](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      const float* source = table + ids[n] * columns;
      for (int64_t c = 0; c < columns; ++c) out[n * columns + c] = source[c];
    }
  });
}

// Threads share the columns, not the ids: the work is even however often a token occurs, each
// number has one writer, and it sums its contributions in the order of the input.
inline void embedding_scatter_add(int64_t rows, int64_t columns, const int32_t* ids,
                                  int64_t padding_idx, const float* dout, float* dtable) noexcept {
  for_column_slices(rows, columns, [=](int64_t first, int64_t count) {
    for (int64_t n = 0; n < rows; ++n) {
      if (ids[n] == padding_idx) continue;
      float* __restrict row = dtable + ids[n] * columns + first;
      const float* __restrict gradient = dout + n * columns + first;
      for (int64_t c = 0; c < count; ++c) row[c] += gradient[c];
    }
  });
}

}  // namespace
}  // namespace cria::CRIA_ISA
