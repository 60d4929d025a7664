// Products of tiles of bf16 pairs: 16 rows of 16 cells by 16 cells of 16 lanes, summed into 16 x 16
// floats. Intel's AMX does one in 16 cycles. The portable body computes the same layout, so that
// all that surrounds a tile is tested on any machine.
#pragma once

#include "kernels/generic/vector.h"

namespace cria::CRIA_ISA {
namespace {

constexpr int64_t kTileRows = 16;   // of A and C
constexpr int64_t kTileCells = 16;  // along K
constexpr int64_t kTileLanes = 16;  // of B and C

// What a block of at most 2 x 2 tiles of C is made of. A tile of A is [row][cell], contiguous, the
// tiles of a step below each other; b[cell * b_row + lane].
struct TileFactors {
  const float* a;  // [steps][row tiles * 16][16 cells]
  int64_t a_step;  // floats from step to step
  const float* b;
  int64_t b_row;
  int64_t steps;                 // of kTileCells cells
  const float* start = nullptr;  // what the sums begin with; null: 0
  int64_t start_row = 0;
  const float* later = nullptr;  // what the sums will meet, asked for step by step; null: nothing
  int64_t later_row = 0;
};

#if defined(__AMX_BF16__) || defined(__AMXBF16__)  // the second is what clang 14 calls it

// While it lives, the calling thread's tile registers are ours: all of the full size.
class TilesInUse {
 public:
  TilesInUse() {
    struct alignas(64) {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } config;
    _tile_loadconfig(&config);
  }
  ~TilesInUse() { _tile_release(); }
  TilesInUse(const TilesInUse&) = delete;
  TilesInUse& operator=(const TilesInUse&) = delete;
};

// c[row * c_row + lane] = the sum over all steps, of kRowTiles x kLaneTiles tiles, that begins with
// start[row * start_row + lane], or with 0 where start is null.
// Registers: C in 0 to 3, A in 4 and 5, B in 6 and 7. B streams from L2: the next step's lines are
// asked for a quarter at a time, because a tile's loads wait behind too many at once.
template <int kRowTiles, int kLaneTiles>
inline void multiply_tiles(const TileFactors& f, float* c, int64_t c_row) {
  constexpr int64_t kFloat = sizeof(float);
  constexpr int64_t kLine = 64 / kFloat, kQuarter = kLaneTiles * kTileCells / 4;  // lines
  constexpr bool kTwoRows = kRowTiles == 2, kTwoLanes = kLaneTiles == 2;
  const float *a = f.a, *b = f.b;
  const int64_t b_row = f.b_row * kFloat;
  if (const float* start = f.start) {
    const int64_t start_row = f.start_row * kFloat;
    const float* below = start + kTileRows * f.start_row;
    _tile_loadd(0, start, start_row);
    if constexpr (kTwoLanes) _tile_loadd(1, start + kTileLanes, start_row);
    if constexpr (kTwoRows) _tile_loadd(2, below, start_row);
    if constexpr (kTwoRows && kTwoLanes) _tile_loadd(3, below + kTileLanes, start_row);
  } else {
    _tile_zero(0);
    if constexpr (kTwoLanes) _tile_zero(1);
    if constexpr (kTwoRows) _tile_zero(2);
    if constexpr (kTwoRows && kTwoLanes) _tile_zero(3);
  }
  const int64_t later_rows = ceil_div(kRowTiles * kTileRows, max(1, f.steps));
  for (int64_t step = 0; step < f.steps; ++step, a += f.a_step, b += kTileCells * f.b_row) {
    const auto prefetch_quarter = [&](int64_t quarter) {
      CRIA_UNROLL
      for (int64_t line = 0; line < kQuarter; ++line) {
        __builtin_prefetch(b + kTileCells * f.b_row + (quarter * kQuarter + line) * kLine, 0, 3);
      }
    };
    const int64_t later_end = f.later ? min((step + 1) * later_rows, kRowTiles * kTileRows) : 0;
    for (int64_t row = step * later_rows; row < later_end; ++row) {
      const float* later = f.later + row * f.later_row;
      __builtin_prefetch(later, 1, 3);
      if constexpr (kTwoLanes) __builtin_prefetch(later + kTileLanes, 1, 3);
    }
    _tile_loadd(4, a, kTileCells * kFloat);
    prefetch_quarter(0);
    _tile_loadd(6, b, b_row);
    prefetch_quarter(1);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kTwoLanes) _tile_loadd(7, b + kTileLanes, b_row);
    prefetch_quarter(2);
    if constexpr (kTwoLanes) _tile_dpbf16ps(1, 4, 7);
    if constexpr (kTwoRows) {
      _tile_loadd(5, a + kTileRows * kTileCells, kTileCells * kFloat);
      _tile_dpbf16ps(2, 5, 6);
    }
    prefetch_quarter(3);
    if constexpr (kTwoRows && kTwoLanes) _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, c_row * kFloat);
  if constexpr (kTwoLanes) _tile_stored(1, c + kTileLanes, c_row * kFloat);
  if constexpr (kTwoRows) _tile_stored(2, c + kTileRows * c_row, c_row * kFloat);
  if constexpr (kTwoRows && kTwoLanes) {
    _tile_stored(3, c + kTileRows * c_row + kTileLanes, c_row * kFloat);
  }
}

#else

struct TilesInUse {
  TilesInUse() {}  // user-provided, so that a variable of it counts as used
};

// Computes what the instruction does: the products of the first and of the second numbers of a
// step's pairs are summed apart, each fused with its addition, then both sums are added to C.
template <int kRowTiles, int kLaneTiles>
inline void multiply_tiles(const TileFactors& f, float* c, int64_t c_row) {
  const auto first = [](float cell) {
    uint32_t bits;
    __builtin_memcpy(&bits, &cell, sizeof bits);
    bits <<= 16;
    __builtin_memcpy(&cell, &bits, sizeof bits);
    return cell;
  };
  const auto second = [](float cell) {
    uint32_t bits;
    __builtin_memcpy(&bits, &cell, sizeof bits);
    bits &= 0xffff0000u;
    __builtin_memcpy(&cell, &bits, sizeof bits);
    return cell;
  };
  for (int64_t row = 0; row < kRowTiles * kTileRows; ++row) {
    for (int64_t lane = 0; lane < kLaneTiles * kTileLanes; ++lane) {
      float total = f.start ? f.start[row * f.start_row + lane] : 0;
      for (int64_t step = 0; step < f.steps; ++step) {
        const float* a = f.a + step * f.a_step + row * kTileCells;
        const float* b = f.b + step * kTileCells * f.b_row + lane;
        float firsts = 0, seconds = 0;
        for (int64_t cell = 0; cell < kTileCells; ++cell) {
          firsts = __builtin_fmaf(first(a[cell]), first(b[cell * f.b_row]), firsts);
          seconds = __builtin_fmaf(second(a[cell]), second(b[cell * f.b_row]), seconds);
        }
        total += firsts + seconds;
      }
      c[row * c_row + lane] = total;
    }
  }
}

#endif

inline void multiply_tiles(bool two_rows, bool two_lanes, const TileFactors& f, float* c,
                           int64_t c_row) {
  if (two_rows) {
    two_lanes ? multiply_tiles<2, 2>(f, c, c_row) : multiply_tiles<2, 1>(f, c, c_row);
  } else {
    two_lanes ? multiply_tiles<1, 2>(f, c, c_row) : multiply_tiles<1, 1>(f, c, c_row);
  }
}

}  // namespace
}  // namespace cria::CRIA_ISA
