// What becomes of the sums of a matrix product on their way from registers to C: bias, addend,
// silu*mul and its backward. Formulas at Gemm in kernels.h.
#pragma once

#include "cria/kernels/kernels.h"
#include "kernels/generic/vector.h"

namespace cria::CRIA_ISA {
namespace {

// With silu_mul, column n of the gate and column n of up are computed one after the other, so that
// both are at hand: B counts as two matrices side by side, and N is half.
inline int64_t halves(const Gemm& g) {
  return g.epilogue == Gemm::Epilogue::silu_mul ? 2 : 1;
}
inline int64_t half_columns(const Gemm& g) {
  return g.n / halves(g);
}

// Which part of the sum over K a vector of C holds.
struct Progress {
  bool first, last;
};

// Lanes [column, column + lanes) of a row of C have got `value` more. kEpilogue: g.epilogue if this
// was the last part of the sum.
template <Gemm::Epilogue kEpilogue>
CRIA_INLINE void finish(const Gemm& g, int64_t row, int64_t column, int64_t lanes, Vector value,
                        bool first) {
  float* c = g.c + row * g.c_row + column;
  if (!first) {
    value += load_lanes(c, lanes);
  } else {
    if (g.addend) value += load_lanes(g.addend + row * g.addend_row + column, lanes);
    if (g.bias) value += load_lanes(g.bias + column, lanes);
  }
  // dgate = dout up s (1 + gate (1 - s)),  dup = dout gate s,  s = sigmoid(gate)
  if constexpr (kEpilogue == Gemm::Epilogue::silu_mul_backward) {
    float* gate = g.other + row * 2 * g.n + column;
    float* up = gate + g.n;
    const Vector z = load_lanes(gate, lanes), u = load_lanes(up, lanes), s = sigmoid(z);
    const Vector silu = z * s;
    store_lanes(gate, value * u * (s + silu * (1.0f - s)), lanes);
    store_lanes(up, value * silu, lanes);
    return;
  }
  store_lanes(c, value, lanes);
  // other = gate sigmoid(gate) up: gate is the left half of C, up the right
  if constexpr (kEpilogue == Gemm::Epilogue::silu_mul) {
    const int64_t half = g.n / 2;
    if (column < half) return;
    const Vector z = load_lanes(c - half, lanes);
    store_lanes(g.other + row * half + column - half, z * sigmoid(z) * value, lanes);
  }
}

// finish() for a block of sums, [rows][vectors].
template <Gemm::Epilogue kEpilogue>
inline void finish_block(const Gemm& g, int64_t row, int64_t rows, int64_t column, int64_t columns,
                         const Vector* block, int64_t vectors, bool first) {
  for (int64_t i = 0; i < rows; ++i, block += vectors) {
    for (int64_t j = 0; j < vectors; ++j) {
      const int64_t lanes = columns - j * kWidth;
      if (lanes >= kWidth) {  // a constant here, so that whole vectors ask for no mask
        finish<kEpilogue>(g, row + i, column + j * kWidth, kWidth, block[j], first);
      } else {
        finish<kEpilogue>(g, row + i, column + j * kWidth, lanes, block[j], first);
      }
    }
  }
}

inline void finish_block(Gemm::Epilogue epilogue, const Gemm& g, int64_t row, int64_t rows,
                         int64_t column, int64_t columns, const Vector* block, int64_t vectors,
                         bool first) {
  switch (epilogue) {
    case Gemm::Epilogue::none:
      return finish_block<Gemm::Epilogue::none>(g, row, rows, column, columns, block, vectors,
                                                first);
    case Gemm::Epilogue::silu_mul:
      return finish_block<Gemm::Epilogue::silu_mul>(g, row, rows, column, columns, block, vectors,
                                                    first);
    case Gemm::Epilogue::silu_mul_backward:
      return finish_block<Gemm::Epilogue::silu_mul_backward>(g, row, rows, column, columns, block,
                                                             vectors, first);
  }
}

}  // namespace
}  // namespace cria::CRIA_ISA
