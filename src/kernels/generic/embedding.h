// Rows out of a table, and gradients back into it.
#pragma once

#include "cria/base/parallel.h"
#include "cria/kernels/kernels.h"
#include "kernels/generic/elementwise.h"

namespace cria::CRIA_ISA {
namespace {

// With a scale of 1 this is a copy, bit for bit but for denormals, which become 0.
inline void embedding_gather(const EmbeddingGather& g) noexcept {
  compute_for(g.rows, row_grain(g.columns), [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      const float* __restrict row = g.table + g.ids[n] * g.columns;
      float* __restrict out = g.out + n * g.columns;
      const float scale = g.scale;
      for (int64_t c = 0; c < g.columns; ++c) out[c] = scale * row[c];
    }
  });
}

// Threads share the columns, not the ids: the work is even however often a token occurs, each
// number has one writer, and it sums its contributions in the order of the input.
inline void embedding_scatter_add(const EmbeddingScatter& g) noexcept {
  for_column_slices(g.rows, g.columns, [&](int64_t first, int64_t count) {
    for (int64_t n = 0; n < g.rows; ++n) {
      if (g.ids[n] == g.padding_idx) continue;
      float* __restrict row = g.dtable + g.ids[n] * g.columns + first;
      const float* __restrict gradient = g.dout + n * g.columns + first;
      const float factor = g.factor ? g.factor[n] : g.scale;
      for (int64_t c = 0; c < count; ++c) row[c] += factor * gradient[c];
    }
  });
}

}  // namespace
}  // namespace cria::CRIA_ISA
