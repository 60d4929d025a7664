// Copies of a block of a matrix in the order in which the microkernel reads it.
#pragma once

#include "kernels/generic/cells.h"

namespace cria::CRIA_ISA {
namespace {

constexpr int64_t kBlockM = 96;  // rows of A packed at a time, see gemm.h

// Panels of kPanel lanes, panel[cell][lane], one after another, of `depth` numbers along K. Lanes
// that the last panel lacks hold anything; nobody stores what becomes of them. Lanes are neighbours in memory: source[k * k_stride + lane]. Row by row,
// since every row may be on a page of its own.
template <class Cells, int64_t kPanel>
inline void pack_lanes(const float* __restrict source, int64_t k_stride, int64_t lanes,
                       int64_t depth, float* __restrict packed) {
  const int64_t cells = ceil_div(depth, Cells::kNumbers);
  for (int64_t c = 0; c < cells; ++c, packed += kPanel) {
    const int64_t k = c * Cells::kNumbers;
    const float* row = source + k * k_stride;
    // A pair at the end that lacks its second number has 0 there.
    const float* next = k + 1 < depth ? row + k_stride : nullptr;
    const auto cells_at = [&](int64_t lane) {
      return Cells::cells(row + lane, next ? next + lane : nullptr, lanes - lane);
    };
    float* panel = packed;
    if constexpr (kPanel % kWidth == 0) {
      for (int64_t lane = 0; lane < lanes; lane += kPanel, panel += kPanel * cells) {
        const int64_t end = min(lanes, lane + kPanel);
        for (int64_t i = lane; i < end; i += kWidth) store(panel + i - lane, cells_at(i));
      }
    } else {
      float line[kBlockM + kWidth];
      for (int64_t lane = 0; lane < lanes; lane += kWidth) store(line + lane, cells_at(lane));
      for (int64_t lane = 0; lane < lanes; lane += kPanel, panel += kPanel * cells) {
        __builtin_memcpy(panel, line + lane, kPanel * sizeof(float));
      }
    }
  }
}

// One such panel where the numbers of a lane are neighbours: source[lane * lane_stride + k].
template <class Cells, int64_t kPanel>
inline void pack_panel_transposed(const float* __restrict source, int64_t lane_stride,
                                  int64_t lanes, int64_t depth, float* __restrict panel) {
  static_assert(kPanel % kWidth == 0);
  for (int64_t lane = 0; lane < kPanel; lane += kWidth) {
    for (int64_t k = 0; k < depth; k += kWidth * Cells::kNumbers) {
      Vector square[kWidth];
      for (int64_t i = 0; i < kWidth; ++i) {
        square[i] = lane + i < lanes
                        ? Cells::row(source + (lane + i) * lane_stride + k, depth - k)
                        : Vector{};
      }
      transpose(square);
      const int64_t cells = min(kWidth, ceil_div(depth - k, Cells::kNumbers));
      float* out = panel + k / Cells::kNumbers * kPanel + lane;
      for (int64_t i = 0; i < cells; ++i) store(out + i * kPanel, square[i]);
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
