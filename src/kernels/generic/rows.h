// What several kernels do to a row of numbers, on one thread.
#pragma once

#include <cstdint>

#include "kernels/generic/vector.h"

namespace cria::CRIA_ISA {
namespace {

inline float dot(int64_t count, const float* a, const float* b) {
  Vector total{};
  for_vectors(
      count, [&](int64_t i) { total += load(a + i) * load(b + i); },
      [&](int64_t i, int64_t lanes) {
        total += load_part(a + i, lanes, 0) * load_part(b + i, lanes, 0);
      });
  return sum(total);
}

CRIA_INLINE float row_maximum(const float* row, int64_t count, float start) {
  Vector most = broadcast(start);
  for_vectors(
      count, [&](int64_t j) { most = max(most, load(row + j)); },
      [&](int64_t j, int64_t lanes) { most = max(most, load_part(row + j, lanes, start)); });
  return largest(most);
}

// row[j] = exp(row[j] - shift) for j < visible, 0 beyond; returns their sum.
CRIA_INLINE float exponentiate(float* row, int64_t visible, int64_t columns, float shift) {
  Vector total{};
  for_vectors(
      visible,
      [&](int64_t j) {
        const Vector e = exp(load(row + j) - shift);
        store(row + j, e);
        total += e;
      },
      [&](int64_t j, int64_t lanes) {
        const Vector e = exp(load_part(row + j, lanes, shift) - shift);
        store_part(row + j, e, lanes);
        total += first_lanes(e, lanes);
      });
  for (int64_t j = visible; j < columns; ++j) row[j] = 0.0f;
  return sum(total);
}

// The same sum, of all columns; row stays as it is. What follows it, the next row, is asked for: a
// long row ends where its page does, and beyond that processors fetch nothing ahead by themselves.
CRIA_INLINE float sum_exponentials(const float* row, int64_t columns, float shift) {
  Vector total{};
  for_vectors(
      columns,
      [&](int64_t j) {
        __builtin_prefetch(row + columns + j, 0, 3);
        total += exp(load(row + j) - shift);
      },
      [&](int64_t j, int64_t lanes) {
        total += first_lanes(exp(load_part(row + j, lanes, shift) - shift), lanes);
      });
  return sum(total);
}

inline void clear_row(float* row, int64_t count) {
  for (int64_t d = 0; d < count; ++d) row[d] = 0;
}

inline void scale_row(float* row, int64_t count, float factor) {
  for (int64_t d = 0; d < count; ++d) row[d] *= factor;
}

}  // namespace
}  // namespace cria::CRIA_ISA
