// What a packed panel is made of: 32-bit cells, each one step of a product along K. A cell is a
// float, a float rounded to bf16, or a pair of bf16 numbers that are neighbours along K. To round
// is all that precision = "bf16" does; products are summed in fp32 in every case.
//
// A kind of cells also says what a product computes at a time: MR rows by NR columns of C, and
// along K a multiple of kStep cells, up to which panels are filled with zeros.
#pragma once

#include "kernels/generic/vector.h"

namespace cria::CRIA_ISA {
namespace {

// Rounds to the nearest bf16, ties to even, as floats; NaN stays NaN.
inline Vector round_to_bf16(Vector x) {
  typedef uint32_t Bits __attribute__((vector_size(CRIA_VECTOR_FLOATS * sizeof(uint32_t))));
  const Bits bits = reinterpret_cast<Bits>(x);
  const Bits nearest = bits + 0x7fffu + ((bits >> 16) & 1u);
  return reinterpret_cast<Vector>((x == x ? nearest : bits | 0x00400000u) & 0xffff0000u);
}

// A block of C in vector registers, multiplied by the microkernel.
struct RegisterBlock {
  static constexpr bool kTiles = false;
  static constexpr int64_t kMR = CRIA_GEMM_ROWS;
  static constexpr int64_t kNR = CRIA_GEMM_VECTORS * kWidth;
  static constexpr int64_t kUnit = kWidth;  // NR, also of narrower panels, is a multiple of it
  static constexpr int64_t kStep = 1;
  static constexpr int64_t kMC = 96;   // rows of A at a time
  static constexpr int64_t kKC = 384;  // cells along K at a time
};

struct Fp32Cells : RegisterBlock {
  static constexpr int64_t kNumbers = 1;   // numbers along K in a cell
  static constexpr bool kAsStored = true;  // a row of cells is a row of the tensor

  // Cells of numbers that are neighbours along K, of which `count` > 0 are there.
  static Vector row(const float* p, int64_t count) { return load_lanes(p, count); }
  // Cells of `count` > 0 lanes, at k and k + 1. next: null where K has ended.
  static Vector cells(const float* p, const float*, int64_t count) { return load_lanes(p, count); }
  static Vector multiply_add(Vector sum, Vector a, Vector b) { return sum + a * b; }
};

// These cells stand in for bf16 where no instruction multiplies it.
struct RoundedCells : RegisterBlock {
  static constexpr const char* kName = "fp32 of rounded numbers";
  static constexpr int64_t kNumbers = 1;
  static constexpr bool kAsStored = false;

  static Vector row(const float* p, int64_t count) { return round_to_bf16(load_lanes(p, count)); }
  static Vector cells(const float* p, const float*, int64_t count) { return row(p, count); }
  static Vector multiply_add(Vector sum, Vector a, Vector b) { return sum + a * b; }
};

// Pairs of bf16 numbers.
struct Pairs {
  static constexpr int64_t kNumbers = 2;
  static constexpr bool kAsStored = false;

#ifdef __AVX512BF16__
#define CRIA_ZIP_HALVES                                                                         \
  0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, \
      13, 29, 14, 30, 15, 31
#ifdef __clang__
#define CRIA_SHUFFLE_HALVES(v) __builtin_shufflevector(v, v, CRIA_ZIP_HALVES)
#else
#define CRIA_SHUFFLE_HALVES(v) __builtin_shuffle(v, Halves{CRIA_ZIP_HALVES})
#endif
  static Vector row(const float* p, int64_t count) {
    return round(load_lanes(p, count),
                 count > kWidth ? load_lanes(p + kWidth, count - kWidth) : Vector{});
  }
  static Vector cells(const float* p, const float* next, int64_t count) {
    typedef int16_t Halves __attribute__((vector_size(64)));
    const Halves both = reinterpret_cast<Halves>(
        round(load_lanes(p, count), next ? load_lanes(next, count) : Vector{}));
    // `both` holds all of the first row, then all of the second; a cell is a pair.
    return reinterpret_cast<Vector>(CRIA_SHUFFLE_HALVES(both));
  }

 private:
  static Vector round(Vector low, Vector high) {
    return reinterpret_cast<Vector>(
        _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(high), reinterpret_cast<__m512>(low)));
  }
#else
  static Vector row(const float* p, int64_t count) {
    Vector even{}, odd{};
    for (int64_t i = 0; i < min(kWidth, ceil_div(count, 2)); ++i) {
      even[i] = p[2 * i];
      if (2 * i + 1 < count) odd[i] = p[2 * i + 1];
    }
    return pair(even, odd);
  }
  static Vector cells(const float* p, const float* next, int64_t count) {
    return pair(load_lanes(p, count), next ? load_lanes(next, count) : Vector{});
  }

 private:
  // The first number of a pair is in the lower half of its cell.
  static Vector pair(Vector first, Vector second) {
    typedef uint32_t Bits __attribute__((vector_size(CRIA_VECTOR_FLOATS * sizeof(uint32_t))));
    return reinterpret_cast<Vector>(reinterpret_cast<Bits>(round_to_bf16(first)) >> 16 |
                                    reinterpret_cast<Bits>(round_to_bf16(second)));
  }
#endif
};

#if CRIA_TILES
// Multiplied by tiles, see tiles.h.
struct TileCells : Pairs {
  static constexpr const char* kName = "tiles of pairs";
  static constexpr bool kTiles = true;
  static constexpr int64_t kMR = 32;
  static constexpr int64_t kNR = 32;
  static constexpr int64_t kUnit = 16;
  static constexpr int64_t kStep = 16;
  static constexpr int64_t kMC = 128;
  static constexpr int64_t kKC = 256;
};
using Bf16Cells = TileCells;
#elif defined(__AVX512BF16__)
struct PairCells : RegisterBlock, Pairs {
  static constexpr const char* kName = "pairs";
  static Vector multiply_add(Vector sum, Vector a, Vector b) {
    return reinterpret_cast<Vector>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(sum),
                                                     reinterpret_cast<__m512bh>(a),
                                                     reinterpret_cast<__m512bh>(b)));
  }
};
using Bf16Cells = PairCells;
#else
using Bf16Cells = RoundedCells;
#endif

// Columns of a panel of B when there are `columns` in all: NR, or fewer if that makes the panels
// even (with three vectors in NR, four are two and two).
template <class Cells>
inline int64_t panel_width(int64_t columns) {
  const int64_t units = ceil_div(columns, Cells::kUnit);
  return ceil_div(units, ceil_div(units, Cells::kNR / Cells::kUnit)) * Cells::kUnit;
}

// Cells that `depth` numbers along K take in a panel.
template <class Cells>
inline int64_t cells_of(int64_t depth) {
  return ceil_div(depth, Cells::kNumbers * Cells::kStep) * Cells::kStep;
}

}  // namespace
}  // namespace cria::CRIA_ISA
