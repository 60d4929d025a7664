// Copies of a block of a matrix in the order in which a product reads it.
#pragma once

#include "kernels/generic/cells.h"

namespace cria::CRIA_ISA {
namespace {

// kWidth cells of lanes that are neighbours in memory; zeros beyond `depth` numbers along K.
template <class Cells>
inline Vector cells_at(const float* source, int64_t k_stride, int64_t cell, int64_t depth,
                       int64_t lanes) {
  const int64_t k = cell * Cells::kNumbers;
  if (k >= depth) return Vector{};
  const float* row = source + k * k_stride;
  // A pair at the end that lacks its second number has 0 there.
  return Cells::cells(row, k + 1 < depth ? row + k_stride : nullptr, lanes);
}

// kWidth cells of one lane, whose numbers are neighbours in memory; zeros beyond `depth` numbers.
template <class Cells>
inline Vector cells_of_row(const float* source, int64_t cell, int64_t depth) {
  const int64_t k = cell * Cells::kNumbers;
  return k < depth ? Cells::row(source + k, depth - k) : Vector{};
}

// A as panels of MR lanes, panel[cell][lane], one after another, of `depth` numbers along K. Lanes
// are neighbours in memory: source[k * k_stride + lane]. Lanes that the last panel lacks hold
// anything; nobody stores what becomes of them.
//
// Some rows at a time: each may be on a page of its own, and panels are often a multiple of 4 KiB
// apart, so that few lines of all panels are in L1 together.
template <class Cells>
inline void pack_a_lanes(const float* __restrict source, int64_t k_stride, int64_t lanes,
                         int64_t depth, float* __restrict packed) {
  constexpr int64_t kRows = 16, kLine = Cells::kMC + kWidth;
  const int64_t cells = cells_of<Cells>(depth);
  alignas(64) float lines[kRows * kLine];
  for (int64_t first = 0; first < cells; first += kRows) {
    const int64_t rows = min(kRows, cells - first);
    for (int64_t c = 0; c < rows; ++c) {
      for (int64_t lane = 0; lane < lanes; lane += kWidth) {
        store(lines + c * kLine + lane,
              cells_at<Cells>(source + lane, k_stride, first + c, depth, lanes - lane));
      }
    }
    for (int64_t lane = 0; lane < lanes; lane += Cells::kMR) {
      float* panel = packed + lane * cells + first * Cells::kMR;
      for (int64_t c = 0; c < rows; ++c, panel += Cells::kMR) {
        __builtin_memcpy(panel, lines + c * kLine + lane, Cells::kMR * sizeof(float));
      }
    }
  }
}

// A's rows of cells, one after another: out[row][cell], from source[row * row_stride + k].
template <class Cells>
inline void pack_a_rows(const float* __restrict source, int64_t row_stride, int64_t rows,
                        int64_t depth, float* __restrict out) {
  const int64_t cells = cells_of<Cells>(depth);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t c = 0; c < cells; c += kWidth) {
      store_lanes(out + i * cells + c, cells_of_row<Cells>(source + i * row_stride, c, depth),
                  cells - c);
    }
  }
}

// B as panels of `width` lanes, whole vectors, `panel` floats from one to the next: of lanes that
// are neighbours in memory. Row by row, as they are stored.
template <class Cells>
inline void pack_b_lanes(const float* __restrict source, int64_t k_stride, int64_t lanes,
                         int64_t depth, int64_t width, int64_t panel, float* __restrict packed) {
  const int64_t cells = cells_of<Cells>(depth);
  for (int64_t c = 0; c < cells; ++c) {
    float* row = packed + c * width;
    for (int64_t first = 0; first < lanes; first += width, row += panel) {
      const int64_t end = min(lanes, first + width);
      for (int64_t lane = first; lane < end; lane += kWidth) {
        store(row + lane - first, cells_at<Cells>(source + lane, k_stride, c, depth, lanes - lane));
      }
    }
  }
}

// The same panels where the numbers of a lane are neighbours: source[lane * lane_stride + k].
template <class Cells>
inline void pack_b_transposed(const float* __restrict source, int64_t lane_stride, int64_t lanes,
                              int64_t depth, int64_t width, float* __restrict packed) {
  const int64_t cells = cells_of<Cells>(depth);
  for (int64_t lane = 0; lane < lanes; lane += kWidth) {
    float* panel = packed + lane / width * width * cells + lane % width;
    for (int64_t c = 0; c < cells; c += kWidth) {
      Vector square[kWidth];
      CRIA_UNROLL
      for (int64_t i = 0; i < kWidth; ++i) {
        square[i] = lane + i < lanes
                        ? cells_of_row<Cells>(source + (lane + i) * lane_stride, c, depth)
                        : Vector{};
      }
      transpose(square);
      CRIA_UNROLL
      for (int64_t i = 0; i < kWidth; ++i) {
        if (c + i < cells) store(panel + (c + i) * width, square[i]);
      }
    }
  }
}

#if CRIA_TILES

// A as tiles.h reads it: panels of MR rows, of each the steps one after another, panel[step][row]
// [cell]. Rows that the last panel lacks hold anything.
//   rows: the numbers of a row are neighbours, source[row * row_stride + k]
template <class Cells>
inline void pack_tiles_of_rows(const float* __restrict source, int64_t row_stride, int64_t rows,
                               int64_t depth, float* __restrict packed) {
  constexpr int64_t kStepFloats = Cells::kMR * Cells::kStep, kAhead = 4;  // rows, from L3 or memory
  const int64_t cells = cells_of<Cells>(depth);
  for (int64_t i = 0; i < rows; ++i) {
    float* row = packed + i / Cells::kMR * Cells::kMR * cells + i % Cells::kMR * Cells::kStep;
    for (int64_t c = 0; c < cells; c += kWidth) {
      const float* later = source + (i + kAhead) * row_stride + c * Cells::kNumbers;
      __builtin_prefetch(later, 0, 3);
      __builtin_prefetch(later + kWidth, 0, 3);
      store(row + c / Cells::kStep * kStepFloats + c % Cells::kStep,
            cells_of_row<Cells>(source + i * row_stride, c, depth));
    }
  }
}

//   lanes: the rows are neighbours, source[k * k_stride + row]
template <class Cells>
inline void pack_tiles_of_lanes(const float* __restrict source, int64_t k_stride, int64_t rows,
                                int64_t depth, float* __restrict packed) {
  constexpr int64_t kStepFloats = Cells::kMR * Cells::kStep;
  const int64_t cells = cells_of<Cells>(depth);
  for (int64_t c = 0; c < cells; c += kWidth) {
    float* step = packed + c / Cells::kStep * kStepFloats + c % Cells::kStep;
    for (int64_t i = 0; i < rows; i += kWidth) {
      Vector square[kWidth];
      CRIA_UNROLL
      for (int64_t j = 0; j < kWidth; ++j) {
        square[j] = cells_at<Cells>(source + i, k_stride, c + j, depth, rows - i);
      }
      transpose(square);
      float* tile = step + i / Cells::kMR * Cells::kMR * cells + i % Cells::kMR * Cells::kStep;
      CRIA_UNROLL
      for (int64_t j = 0; j < kWidth; ++j) store(tile + j * Cells::kStep, square[j]);
    }
  }
}

#endif

}  // namespace
}  // namespace cria::CRIA_ISA
