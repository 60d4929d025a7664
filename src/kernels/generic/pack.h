// Copies of a block of a matrix in the order in which the microkernel reads it.
#pragma once

#include "kernels/generic/microkernel.h"

namespace cria::CRIA_ISA {
namespace {

constexpr int64_t kBlockM = 96;  // rows of A packed at a time, see gemm.h

// kWidth cells of lanes that are neighbours in memory.
template <class Cells>
inline Vector cells_at(const float* source, int64_t k_stride, int64_t cell, int64_t depth,
                       int64_t lane, int64_t lanes) {
  const int64_t k = cell * Cells::kNumbers;
  const float* row = source + k * k_stride + lane;
  // A pair at the end that lacks its second number has 0 there.
  return Cells::cells(row, k + 1 < depth ? row + k_stride : nullptr, lanes - lane);
}

// A as panels of kPanelM lanes, panel[cell][lane], one after another, of `depth` numbers along K.
// Lanes are neighbours in memory: source[k * k_stride + lane]. Lanes that the last panel lacks hold
// anything; nobody stores what becomes of them. Row by row, since each may be on a page of its own.
template <class Cells>
inline void pack_a_lanes(const float* __restrict source, int64_t k_stride, int64_t lanes,
                         int64_t depth, float* __restrict packed) {
  const int64_t cells = ceil_div(depth, Cells::kNumbers);
  for (int64_t c = 0; c < cells; ++c) {
    float line[kBlockM + kWidth];
    for (int64_t lane = 0; lane < lanes; lane += kWidth) {
      store(line + lane, cells_at<Cells>(source, k_stride, c, depth, lane, lanes));
    }
    for (int64_t lane = 0; lane < lanes; lane += kPanelM) {
      __builtin_memcpy(packed + lane * cells + c * kPanelM, line + lane, kPanelM * sizeof(float));
    }
  }
}

// B as panels of `width` lanes, whole vectors: of lanes that are neighbours in memory, as above.
template <class Cells>
inline void pack_b_lanes(const float* __restrict source, int64_t k_stride, int64_t lanes,
                         int64_t depth, int64_t width, float* __restrict packed) {
  const int64_t cells = ceil_div(depth, Cells::kNumbers);
  for (int64_t first = 0; first < lanes; first += width) {
    const int64_t end = min(lanes, first + width);
    float* panel = packed + first * cells;
    for (int64_t c = 0; c < cells; ++c, panel += width) {
      for (int64_t lane = first; lane < end; lane += kWidth) {
        store(panel + lane - first, cells_at<Cells>(source, k_stride, c, depth, lane, lanes));
      }
    }
  }
}

// The same panels where the numbers of a lane are neighbours: source[lane * lane_stride + k].
template <class Cells>
inline void pack_b_transposed(const float* __restrict source, int64_t lane_stride, int64_t lanes,
                              int64_t depth, int64_t width, float* __restrict packed) {
  const int64_t cells = ceil_div(depth, Cells::kNumbers);
  for (int64_t lane = 0; lane < lanes; lane += kWidth) {
    float* panel = packed + lane / width * width * cells + lane % width;
    for (int64_t c = 0; c < cells; c += kWidth) {
      const int64_t k = c * Cells::kNumbers;
      const float* first = source + lane * lane_stride + k;
      Vector square[kWidth];
      CRIA_UNROLL
      for (int64_t i = 0; i < kWidth; ++i) {
        square[i] = lane + i < lanes ? Cells::row(first + i * lane_stride, depth - k) : Vector{};
      }
      transpose(square);
      CRIA_UNROLL
      for (int64_t i = 0; i < kWidth; ++i) {
        if (c + i < cells) store(panel + (c + i) * width, square[i]);
      }
    }
  }
}

// Rows of cells, one after another: out[row][cell], from source[row * row_stride + k].
template <class Cells>
inline void pack_rows(const float* __restrict source, int64_t row_stride, int64_t rows,
                      int64_t depth, float* __restrict out) {
  const int64_t cells = ceil_div(depth, Cells::kNumbers);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t c = 0; c < cells; c += kWidth) {
      const int64_t k = c * Cells::kNumbers;
      store_lanes(out + i * cells + c, Cells::row(source + i * row_stride + k, depth - k),
                  cells - c);
    }
  }
}

}  // namespace
}  // namespace cria::CRIA_ISA
