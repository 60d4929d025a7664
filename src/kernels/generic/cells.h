// What a packed panel is made of: 32-bit cells, each one step of the microkernel along K. A cell
// is a float, a float rounded to bf16, or a pair of bf16 numbers that are neighbours along K.
// To round is all that precision = "bf16" does; products are summed in fp32 in every case.
#pragma once

#include "kernels/generic/vector.h"

namespace cria::CRIA_ISA {
namespace {

// To the nearest bf16, ties to even, as floats; NaN stays NaN.
inline Vector round_to_bf16(Vector x) {
  typedef uint32_t Bits __attribute__((vector_size(CRIA_VECTOR_FLOATS * sizeof(uint32_t))));
  const Bits bits = reinterpret_cast<Bits>(x);
  const Bits nearest = bits + 0x7fffu + ((bits >> 16) & 1u);
  return reinterpret_cast<Vector>((x == x ? nearest : bits | 0x00400000u) & 0xffff0000u);
}

struct Fp32Cells {
  static constexpr int64_t kNumbers = 1;   // numbers along K in a cell
  static constexpr bool kAsStored = true;  // a row of cells is a row of the tensor

  // Cells of numbers that are neighbours along K, of which `count` > 0 are there.
  static Vector row(const float* p, int64_t count) { return load_lanes(p, count); }
  // Cells of `count` > 0 lanes, at k and k + 1. next: null where K has ended.
  static Vector cells(const float* p, const float*, int64_t count) { return load_lanes(p, count); }
  static Vector multiply_add(Vector sum, Vector a, Vector b) { return sum + a * b; }
};

// Where no instruction multiplies bf16.
struct RoundedCells {
  static constexpr int64_t kNumbers = 1;
  static constexpr bool kAsStored = false;

  static Vector row(const float* p, int64_t count) { return round_to_bf16(load_lanes(p, count)); }
  static Vector cells(const float* p, const float*, int64_t count) { return row(p, count); }
  static Vector multiply_add(Vector sum, Vector a, Vector b) { return sum + a * b; }
};

#ifdef __AVX512BF16__
#define CRIA_ZIP_HALVES                                                                         \
  0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, \
      13, 29, 14, 30, 15, 31
#ifdef __clang__
#define CRIA_SHUFFLE_HALVES(v) __builtin_shufflevector(v, v, CRIA_ZIP_HALVES)
#else
#define CRIA_SHUFFLE_HALVES(v) __builtin_shuffle(v, Halves{CRIA_ZIP_HALVES})
#endif

struct PairCells {
  static constexpr int64_t kNumbers = 2;
  static constexpr bool kAsStored = false;

  static Vector row(const float* p, int64_t count) {
    return round(load_lanes(p, count),
                 count > kWidth ? load_lanes(p + kWidth, count - kWidth) : Vector{});
  }
  static Vector cells(const float* p, const float* next, int64_t count) {
    typedef int16_t Halves __attribute__((vector_size(64)));
    const Halves both = reinterpret_cast<Halves>(
        round(load_lanes(p, count), next ? load_lanes(next, count) : Vector{}));
    // From all of the first row, then all of the second, to pairs.
    return reinterpret_cast<Vector>(CRIA_SHUFFLE_HALVES(both));
  }
  static Vector multiply_add(Vector sum, Vector a, Vector b) {
    return reinterpret_cast<Vector>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(sum),
                                                     reinterpret_cast<__m512bh>(a),
                                                     reinterpret_cast<__m512bh>(b)));
  }

 private:
  static Vector round(Vector low, Vector high) {
    return reinterpret_cast<Vector>(
        _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(high), reinterpret_cast<__m512>(low)));
  }
};
using Bf16Cells = PairCells;
#else
using Bf16Cells = RoundedCells;
#endif

}  // namespace
}  // namespace cria::CRIA_ISA
