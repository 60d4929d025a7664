// C[M,N] = A[M,K] B[K,N] + addend, over any strides.
//
// The blocking, from the outside in (as in BLIS; Van Zee & van de Geijn, 2015):
//   threads    a grid over C: each thread computes its own block, all of K
//   kBlockN    columns of B packed at a time: kBlockK x kBlockN floats, 1 MiB, L2/L3
//   kBlockK    depth of a packed block; K is summed block by block, always in the same order
//   kBlockM    rows of A packed at a time: kBlockM x kBlockK floats, about 100 KiB, L2
//   kPanelN    columns of one panel of B (kBlockK x kPanelN: 8 KiB, L1)
//   kPanelM    rows of one panel of A; kPanelM x kPanelN numbers of C stay in registers
// Packing copies a block into panels, each contiguous in the order in which the microkernel reads
// it, and fills ragged panels up with zeros: the microkernel knows one shape only. An element of C
// is thus always the same sum in the same order, wherever the block borders fall.
#pragma once

#include "cria/base/parallel.h"
#include "cria/kernels/kernels.h"
#include "kernels/generic/vector.h"
#include "kernels/workspace.h"

namespace cria::CRIA_ISA {
namespace {

constexpr int64_t kPanelM = CRIA_GEMM_ROWS;
constexpr int64_t kPanelVectors = CRIA_GEMM_VECTORS;
constexpr int64_t kPanelN = kPanelVectors * kWidth;
constexpr int64_t kBlockK = 256;
constexpr int64_t kBlockM = 96 / kPanelM * kPanelM;
constexpr int64_t kBlockN = 1024 / kPanelN * kPanelN;
static_assert(kBlockM * kBlockK <= kPackedAFloats && kBlockN * kBlockK <= kPackedBFloats);

// panel[k][lane] = source[lane, k] for `lanes` lanes, zeros up to kPanel; k innermost in time.
template <int64_t kPanel>
inline void pack_panel(const float* __restrict source, int64_t lane_stride, int64_t k_stride,
                       int64_t lanes, int64_t depth, float* __restrict panel) {
  if (lanes == kPanel && lane_stride == 1) {
    for (int64_t k = 0; k < depth; ++k) {
      for (int64_t lane = 0; lane < kPanel; ++lane) {
        panel[k * kPanel + lane] = source[k * k_stride + lane];
      }
    }
    return;
  }
  if (lanes == kPanel) {
    for (int64_t k = 0; k < depth; ++k) {
      for (int64_t lane = 0; lane < kPanel; ++lane) {
        panel[k * kPanel + lane] = source[lane * lane_stride + k * k_stride];
      }
    }
    return;
  }
  for (int64_t k = 0; k < depth; ++k) {
    for (int64_t lane = 0; lane < kPanel; ++lane) {
      panel[k * kPanel + lane] = lane < lanes ? source[lane * lane_stride + k * k_stride] : 0.0f;
    }
  }
}

template <int64_t kPanel>
inline void pack(const float* source, int64_t lane_stride, int64_t k_stride, int64_t lanes,
                 int64_t depth, float* packed) {
  for (int64_t lane = 0; lane < lanes; lane += kPanel) {
    pack_panel<kPanel>(source + lane * lane_stride, lane_stride, k_stride,
                       min(kPanel, lanes - lane), depth, packed + lane * depth);
  }
}

// One kPanelM x kPanelN block of C in registers: the sum over `depth` of a column of the A panel
// times a row of the B panel.
inline void microkernel(int64_t depth, const float* __restrict a, const float* __restrict b,
                        Vector (&out)[kPanelM][kPanelVectors]) {
  Vector acc[kPanelM][kPanelVectors] = {};
  for (int64_t k = 0; k < depth; ++k) {
    Vector row[kPanelVectors];
    CRIA_UNROLL
    for (int64_t j = 0; j < kPanelVectors; ++j) row[j] = load(b + k * kPanelN + j * kWidth);
    CRIA_UNROLL
    for (int64_t i = 0; i < kPanelM; ++i) {
      const Vector scalar = broadcast(a[k * kPanelM + i]);
      CRIA_UNROLL
      for (int64_t j = 0; j < kPanelVectors; ++j) acc[i][j] += scalar * row[j];
    }
  }
  CRIA_UNROLL
  for (int64_t i = 0; i < kPanelM; ++i) {
    CRIA_UNROLL
    for (int64_t j = 0; j < kPanelVectors; ++j) out[i][j] = acc[i][j];
  }
}

// c[rows, columns] = acc + addend
inline void write_block(const Vector (&acc)[kPanelM][kPanelVectors], int64_t rows, int64_t columns,
                        float* c, int64_t c_row, const float* addend, int64_t addend_row) {
  if (columns == kPanelN) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < kPanelVectors; ++j) {
        Vector value = acc[i][j];
        if (addend) value += load(addend + i * addend_row + j * kWidth);
        store(c + i * c_row + j * kWidth, value);
      }
    }
    return;
  }
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      const float value = acc[i][j / kWidth][j % kWidth];
      c[i * c_row + j] = addend ? value + addend[i * addend_row + j] : value;
    }
  }
}

// The whole product on the calling thread; attention uses it for its tiles.
inline void gemm_serial(const Gemm& g, const Workspace& memory) noexcept {
  for (int64_t n0 = 0; n0 < g.n; n0 += kBlockN) {
    const int64_t n_count = min(kBlockN, g.n - n0);
    for (int64_t k0 = 0; k0 < g.k; k0 += kBlockK) {
      const int64_t depth = min(kBlockK, g.k - k0);
      // The first block of K writes C, the later ones add to it.
      const float* addend = k0 == 0 ? g.addend : g.c;
      const int64_t addend_row = k0 == 0 ? g.addend_row : g.c_row;
      pack<kPanelN>(g.b + k0 * g.b_row + n0 * g.b_column, g.b_column, g.b_row, n_count, depth,
                    memory.packed_b);
      for (int64_t m0 = 0; m0 < g.m; m0 += kBlockM) {
        const int64_t m_count = min(kBlockM, g.m - m0);
        pack<kPanelM>(g.a + m0 * g.a_row + k0 * g.a_column, g.a_row, g.a_column, m_count, depth,
                      memory.packed_a);
        for (int64_t j = 0; j < n_count; j += kPanelN) {
          for (int64_t i = 0; i < m_count; i += kPanelM) {
            Vector acc[kPanelM][kPanelVectors];
            microkernel(depth, memory.packed_a + i * depth, memory.packed_b + j * depth, acc);
            const int64_t row = m0 + i, column = n0 + j;
            write_block(acc, min(kPanelM, m_count - i), min(kPanelN, n_count - j),
                        g.c + row * g.c_row + column, g.c_row,
                        addend ? addend + row * addend_row + column : nullptr, addend_row);
          }
        }
      }
    }
  }
}

// Rows [m0, m0 + m) and columns [n0, n0 + n) of a product.
inline Gemm sub_block(const Gemm& g, int64_t m0, int64_t m, int64_t n0, int64_t n) {
  Gemm part = g;
  part.m = m;
  part.n = n;
  part.a += m0 * g.a_row;
  part.b += n0 * g.b_column;
  part.c += m0 * g.c_row + n0;
  if (g.addend) part.addend += m0 * g.addend_row + n0;
  return part;
}

struct Grid {
  int64_t rows, columns;
};

// The grid of at most `threads` cells whose largest cell packs least: A costs m/rows and B costs
// n/columns, per unit of K.
inline Grid choose_grid(int64_t m, int64_t n, int64_t threads) {
  Grid best = {1, 1};
  double best_cost = 1e300;
  for (int64_t rows = 1; rows <= threads; ++rows) {
    const int64_t columns = threads / rows;
    const double cell_m = static_cast<double>(ceil_div(ceil_div(m, kPanelM), rows) * kPanelM);
    const double cell_n = static_cast<double>(ceil_div(ceil_div(n, kPanelN), columns) * kPanelN);
    // Arithmetic first; packing one number costs about as much as 16 multiply-adds.
    const double cost = cell_m * cell_n + 16 * (cell_m + cell_n);
    if (cost < best_cost) {
      best_cost = cost;
      best = {rows, columns};
    }
  }
  return best;
}

inline void gemm(const Gemm& g) noexcept {
  constexpr int64_t kSerialWork = 32 * 1024;  // multiply-adds below which threads cost more
  const bool tiny = g.m * g.n * g.k < kSerialWork;
  const Grid grid = tiny ? Grid{1, 1} : choose_grid(g.m, g.n, max_threads());
  const int64_t m_panels = ceil_div(g.m, kPanelM), n_panels = ceil_div(g.n, kPanelN);
  parallel_for(grid.rows * grid.columns, 1, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t cell = begin; cell < end; ++cell) {
      const int64_t row = cell / grid.columns, column = cell % grid.columns;
      const int64_t m0 = m_panels * row / grid.rows * kPanelM;
      const int64_t m1 = min(g.m, m_panels * (row + 1) / grid.rows * kPanelM);
      const int64_t n0 = n_panels * column / grid.columns * kPanelN;
      const int64_t n1 = min(g.n, n_panels * (column + 1) / grid.columns * kPanelN);
      if (m0 < m1 && n0 < n1) {
        gemm_serial(sub_block(g, m0, m1 - m0, n0, n1 - n0), thread_workspace(thread));
      }
    }
  });
}

}  // namespace
}  // namespace cria::CRIA_ISA
