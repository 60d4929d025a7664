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

inline void add_rows_sum(int64_t rows, int64_t columns, const float* x, float* sum) noexcept {
  for_column_slices(rows, columns, [=](int64_t first, int64_t count) {
    for (int64_t n = 0; n < rows; ++n) {
      for (int64_t c = first; c < first + count; ++c) sum[c] += x[n * columns + c];
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
      g.rstd[n] = r;
      for (int64_t c = 0; c < g.columns; ++c) y[c] = g.weight[c] * (x[c] * r);
    }
  });
}

inline void rms_norm_backward(const RmsNormBackward& g) noexcept {
  for_column_slices(g.rows, g.columns, [&](int64_t first, int64_t count) {
    for (int64_t n = 0; n < g.rows; ++n) {
      const float r = g.rstd[n];
      const float* __restrict x = g.x + n * g.columns + first;
      const float* __restrict dy = g.dy + n * g.columns + first;
      float* __restrict dweight = g.dweight + first;
      for (int64_t c = 0; c < count; ++c) dweight[c] += dy[c] * (x[c] * r);
    }
  });
  compute_for(g.rows, row_grain(g.columns), [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      const float r = g.rstd[n];
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
                    for (int64_t i = 0; i < g.head_dim; i += 16) {
                      __builtin_prefetch(low + g.row_stride + i, 1, 3);  // the next row
                    }
                    for (int64_t i = 0; i < half; ++i) {
                      const float x = low[i], y = high[i], s = sign * sin[i];
                      low[i] = x * cos[i] - y * s;
                      high[i] = x * s + y * cos[i];
                    }
                  }
                }
              });
}

// The sum of body(first column, columns) over pieces of a row. Partial sums of floats are kept
// short and added up in double: a row may have 100,000 columns.
template <class Body>
inline double sum_of_pieces(int64_t columns, Body&& body) {
  constexpr int64_t kShort = 1024;
  double total = 0;
  for (int64_t i = 0; i < columns; i += kShort) {
    total += static_cast<double>(body(i, min(kShort, columns - i)));
  }
  return total;
}

inline void softmax(int64_t rows, int64_t columns, float* x) noexcept {
  compute_for(rows, row_grain(columns), [=](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      float* row = x + n * columns;
      const float maximum = row_maximum(row, columns, row[0]);
      const double total = sum_of_pieces(columns, [&](int64_t first, int64_t count) {
        return exponentiate(row + first, count, count, maximum);
      });
      scale_row(row, columns, static_cast<float>(1.0 / total));
    }
  });
}

// The online softmax: with a new block's maximum, what has been summed counts for less.
inline void softmax_statistics(const SoftmaxBlock& b) noexcept {
  compute_for(b.rows, row_grain(b.columns), [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      const float* row = b.logits + n * b.columns;
      const float before = b.first == 0 ? row[0] : b.maximum[n];
      const float maximum = row_maximum(row, b.columns, before);
      const double total = sum_of_pieces(b.columns, [&](int64_t first, int64_t count) {
        return sum_exponentials(row + first, count, maximum);
      });
      const double kept =
          b.first == 0 ? 0 : b.total[n] * __builtin_exp(static_cast<double>(before - maximum));
      b.maximum[n] = maximum;
      b.total[n] = kept + total;
      const int64_t target = b.targets[n] - b.first;
      if (target >= 0 && target < b.columns) b.target_logit[n] = row[target];
    }
  });
}

inline void softmax_gradient(const SoftmaxBlock& b, float gradient_scale) noexcept {
  compute_for(b.rows, row_grain(b.columns), [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      float* row = b.logits + n * b.columns;
      if (b.targets[n] == kIgnoredTarget) {
        clear_row(row, b.columns);
        continue;
      }
      const float factor = static_cast<float>(static_cast<double>(gradient_scale) / b.total[n]);
      const float maximum = b.maximum[n];
      for_vectors(
          b.columns,
          [&](int64_t j) {
            __builtin_prefetch(row + b.columns + j, 1, 3);  // the next row
            store(row + j, exp(load(row + j) - maximum) * factor);
          },
          [&](int64_t j, int64_t lanes) {
            store_part(row + j, exp(load_part(row + j, lanes, maximum) - maximum) * factor, lanes);
          });
      const int64_t target = b.targets[n] - b.first;
      if (target >= 0 && target < b.columns) row[target] -= gradient_scale;
    }
  });
}

}  // namespace
}  // namespace cria::CRIA_ISA
