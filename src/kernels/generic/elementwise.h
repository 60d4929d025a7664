// Row-wise kernels: bias gradient, RMSNorm, rotary, softmax, cross-entropy. Formulas in kernels.h.
#pragma once

#include "cria/base/parallel.h"
#include "cria/kernels/kernels.h"
#include "kernels/generic/rows.h"
#include "kernels/generic/vector.h"

namespace cria::CRIA_ISA {
namespace {

// Rows a thread takes at least, so that a range is worth waking it for.
inline int64_t row_grain(int64_t columns) {
  return max(1, kGrain / max(1, columns));
}

// A sum over all rows has one writer per column, so it is the same for any number of threads: the
// columns are cut, a cache line at least to each thread. body(first column, columns).
template <class Body>
inline void for_column_slices(int64_t rows, int64_t columns, Body&& body) {
  constexpr int64_t kLine = 16;
  const int64_t grain = max(1, row_grain(rows * kLine));
  compute_for(ceil_div(columns, kLine), grain, [&](int64_t begin, int64_t end, int) {
    body(begin * kLine, min(columns, end * kLine) - begin * kLine);
  });
}

inline void bias_gradient(int64_t rows, int64_t columns, const float* dy, float* dbias) noexcept {
  for_column_slices(rows, columns, [=](int64_t first, int64_t count) {
    for (int64_t n = 0; n < rows; ++n) {
      for (int64_t c = first; c < first + count; ++c) dbias[c] += dy[n * columns + c];
    }
  });
}

inline void rms_norm_forward(const RmsNormForward& g) noexcept {
  compute_for(g.rows, row_grain(g.columns), [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      const float* __restrict x = g.x + n * g.columns;
      float* __restrict y = g.y + n * g.columns;
      const float mean = dot(g.columns, x, x) / static_cast<float>(g.columns);
      const float r = 1.0f / __builtin_sqrtf(mean + g.eps);
      g.inverse_root[n] = r;
      for (int64_t c = 0; c < g.columns; ++c) y[c] = g.weight[c] * (x[c] * r);
    }
  });
}

inline void rms_norm_backward(const RmsNormBackward& g) noexcept {
  for_column_slices(g.rows, g.columns, [&](int64_t first, int64_t count) {
    for (int64_t n = 0; n < g.rows; ++n) {
      const float r = g.inverse_root[n];
      const float* __restrict x = g.x + n * g.columns + first;
      const float* __restrict dy = g.dy + n * g.columns + first;
      float* __restrict dweight = g.dweight + first;
      for (int64_t c = 0; c < count; ++c) dweight[c] += dy[c] * (x[c] * r);
    }
  });
  compute_for(g.rows, row_grain(g.columns), [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      const float r = g.inverse_root[n];
      const float* x = g.x + n * g.columns;
      const float* dy = g.dy + n * g.columns;
      Vector total{};
      for_vectors(
          g.columns, [&](int64_t c) { total += load(g.weight + c) * load(dy + c) * load(x + c); },
          [&](int64_t c, int64_t lanes) {
            total += load_part(g.weight + c, lanes, 0) * load_part(dy + c, lanes, 0) *
                     load_part(x + c, lanes, 0);
          });
      const float mean = sum(total) * r / static_cast<float>(g.columns);
      // addend may be dx itself, so neither is __restrict.
      const float* addend = g.addend ? g.addend + n * g.columns : nullptr;
      float* dx = g.dx + n * g.columns;
      for (int64_t c = 0; c < g.columns; ++c) {
        const float gradient = r * (g.weight[c] * dy[c] - x[c] * r * mean);
        dx[c] = addend ? addend[c] + gradient : gradient;
      }
    }
  });
}

inline void rotary(const Rotary& g) noexcept {
  const int64_t half = g.head_dim / 2;
  const float sign = g.inverse ? -1.0f : 1.0f;
  compute_for(g.batch * g.time, row_grain(g.heads * g.head_dim),
               [&](int64_t begin, int64_t end, int) {
                 for (int64_t n = begin; n < end; ++n) {
                   const int64_t t = n % g.time;
                   float* row = g.x + n / g.time * g.batch_stride + t * g.row_stride;
                   const float* __restrict cos = g.cos + t * half;
                   const float* __restrict sin = g.sin + t * half;
                   for (int64_t h = 0; h < g.heads; ++h) {
                     float* __restrict low = row + h * g.head_dim;
                     float* __restrict high = low + half;
                     for (int64_t i = 0; i < half; ++i) {
                       const float x = low[i], y = high[i], s = sign * sin[i];
                       low[i] = x * cos[i] - y * s;
                       high[i] = x * s + y * cos[i];
                     }
                   }
                 }
               });
}

// row[i] = exp(row[i] - shift); returns the sum. Partial sums of floats are kept short and added
// up in double: a row may have 100,000 columns.
inline double exponentiate_long(int64_t columns, float* row, float shift) {
  constexpr int64_t kShort = 1024;
  double total = 0;
  for (int64_t i = 0; i < columns; i += kShort) {
    const int64_t count = min(kShort, columns - i);
    total += static_cast<double>(exponentiate(row + i, count, count, shift));
  }
  return total;
}

inline void softmax(int64_t rows, int64_t columns, float* x) noexcept {
  compute_for(rows, row_grain(columns), [=](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      float* row = x + n * columns;
      const double total = exponentiate_long(columns, row, row_maximum(row, columns, row[0]));
      scale_row(row, columns, static_cast<float>(1.0 / total));
    }
  });
}

inline void cross_entropy(int64_t rows, int64_t columns, const int32_t* targets,
                          float gradient_scale, float* logits, float* losses) noexcept {
  compute_for(rows, row_grain(columns), [=](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      float* row = logits + n * columns;
      if (targets[n] == kIgnoredTarget) {
        losses[n] = 0;
        clear_row(row, columns);
        continue;
      }
      const float maximum = row_maximum(row, columns, row[0]);
      const float target = row[targets[n]] - maximum;
      const double total = exponentiate_long(columns, row, maximum);
      losses[n] = static_cast<float>(__builtin_log(total) - static_cast<double>(target));
      if (gradient_scale != 0) {
        scale_row(row, columns, static_cast<float>(static_cast<double>(gradient_scale) / total));
        row[targets[n]] -= gradient_scale;
      }
    }
  });
}

}  // namespace
}  // namespace cria::CRIA_ISA
