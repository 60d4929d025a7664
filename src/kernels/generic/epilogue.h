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

// A block of C, and which part of the sum over K it has got.
struct BlockC {
  int64_t row, rows, column, columns;
  bool first, last;

  // What its sums are added to, if anything: at first the addend, then C itself.
  const float* addend(const Gemm& g) const { return first ? g.addend : g.c; }
  int64_t addend_row(const Gemm& g) const { return first ? g.addend_row : g.c_row; }
  // The gate of silu_mul, the left half of C, is only stored.
  Gemm::Epilogue epilogue(const Gemm& g) const {
    const bool is_gate = g.epilogue == Gemm::Epilogue::silu_mul && column < half_columns(g);
    return last && !is_gate ? g.epilogue : Gemm::Epilogue::none;
  }
  // Whether nothing happens to the sums but an addition.
  bool is_plain(const Gemm& g) const {
    return !(first && g.bias) && epilogue(g) == Gemm::Epilogue::none;
  }
};

// Lanes [column, column + lanes) of a row of C have got `value` more. kEpilogue: their block's.
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
  // other = gate sigmoid(gate) up: gate is the left half of C, this is up, the right
  if constexpr (kEpilogue == Gemm::Epilogue::silu_mul) {
    const int64_t half = half_columns(g);
    const Vector z = load_lanes(c - half, lanes);
    store_lanes(g.other + row * half + column - half, z * sigmoid(z) * value, lanes);
  }
}

// finish() for a block of sums, [rows][vectors of a row].
template <Gemm::Epilogue kEpilogue>
inline void finish_block(const Gemm& g, const BlockC& block, const Vector* sums, int64_t vectors) {
  for (int64_t i = 0; i < block.rows; ++i, sums += vectors) {
    const int64_t row = block.row + i;
    int64_t column = block.column, left = block.columns;
    // A constant here, so that whole vectors ask for no mask.
    const Vector* sum = sums;
    for (; left >= kWidth; left -= kWidth, column += kWidth, ++sum) {
      finish<kEpilogue>(g, row, column, kWidth, *sum, block.first);
    }
    if (left > 0) finish<kEpilogue>(g, row, column, left, *sum, block.first);
  }
}

inline void finish_block(const Gemm& g, const BlockC& block, const Vector* sums, int64_t vectors) {
  switch (block.epilogue(g)) {
    case Gemm::Epilogue::none:
      return finish_block<Gemm::Epilogue::none>(g, block, sums, vectors);
    case Gemm::Epilogue::silu_mul:
      return finish_block<Gemm::Epilogue::silu_mul>(g, block, sums, vectors);
    case Gemm::Epilogue::silu_mul_backward:
      return finish_block<Gemm::Epilogue::silu_mul_backward>(g, block, sums, vectors);
  }
}

}  // namespace
}  // namespace cria::CRIA_ISA
