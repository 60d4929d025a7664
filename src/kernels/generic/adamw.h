// The optimizer's sweeps over a piece of the planes; serial, see kernels.h.
#pragma once

#include "cria/kernels/kernels.h"
#include "kernels/generic/rows.h"
#include "kernels/generic/vector.h"

namespace cria::CRIA_ISA {
namespace {

inline void adamw(const AdamW& settings) noexcept {
  const AdamW s = settings;  // a copy that the stores below cannot change
  float* __restrict p = s.p;
  float* __restrict g = s.g;
  float* __restrict m = s.m;
  float* __restrict v = s.v;
  for (int64_t i = 0; i < s.count; ++i) {
    const float gradient = g[i] * s.grad_scale;
    g[i] = 0;
    m[i] = s.beta1 * m[i] + (1.0f - s.beta1) * gradient;
    v[i] = s.beta2 * v[i] + (1.0f - s.beta2) * gradient * gradient;
    p[i] = p[i] * s.decay - s.step_size * m[i] / (__builtin_sqrtf(v[i]) * s.v_scale + s.eps);
  }
}

// Sums of at most 1024 squares are kept in float lanes, the rest in double.
inline double sum_of_squares(int64_t count, const float* x) noexcept {
  constexpr int64_t kShort = 1024;
  double total = 0;
  for (int64_t i = 0; i < count; i += kShort) {
    total += static_cast<double>(dot(min(kShort, count - i), x + i, x + i));
  }
  return total;
}

}  // namespace
}  // namespace cria::CRIA_ISA
