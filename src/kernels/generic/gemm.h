// C[M,N] = A[M,K] B[K,N] + bias + addend, and what may be done to C while it is still in registers.
//
// The blocking, from the outside in (as in BLIS; Van Zee & van de Geijn, 2015). A cell is 32 bits:
// a number, or a pair of bf16 numbers that are neighbours along K.
//   threads   a grid over C: each thread computes its own block of C, all of K
//   n-block   as many columns of B as fill 3/4 of a core's L2 when packed, kBlockCells deep
//   k-block   kBlockCells = 384 cells: long enough to hide the writing of C. K is cut evenly into
//             as many blocks as that takes, whatever the machine: their sums are rounded in order
//   m-block   kBlockM = 96 rows of A, 144 KiB: what is prefetched ahead, and for bf16 packed
//   panel     kPanelM = 8 rows of A, 12 KiB: in L1 while it meets every panel of the n-block.
//             A panel of B is kPanelVectors = 3 vectors of columns: it streams from L2, one row of
//             three vectors for the 24 multiply-adds of a step
//   registers 8 x 3 vectors of sums, of the 32 that AVX-512 has; a wider block would spill, a
//             smaller one would load more often than it multiplies
// Packing copies a block of B into panels, each contiguous in the order in which the microkernel
// reads it, and rounds to bf16 where asked to. The microkernel reads A a number at a time, so an
// fp32 A is used where it lies. An element of C is the same sum in the same order wherever the
// borders of the blocks fall.
#pragma once

#include "cria/base/parallel.h"
#include "cria/kernels/kernels.h"
#include "kernels/generic/epilogue.h"
#include "kernels/generic/few_rows.h"
#include "kernels/generic/microkernel.h"
#include "kernels/generic/pack.h"
#include "kernels/generic/rows.h"
#include "kernels/workspace.h"

namespace cria::CRIA_ISA {
namespace {

constexpr int64_t kBlockCells = 384;
constexpr int64_t kPanelColumns = kPanelVectors * kWidth;
static_assert(kBlockM % kPanelM == 0 && kBlockM * kBlockCells <= kPackedAFloats);

// The panels that a block of C comes from, and where it stands.
struct Panels {
  PanelA a;
  const float* b;
  int64_t b_width;  // see panel_width
  int64_t cells;    // depth
  int64_t row, rows, column, columns;
};

// Asks for what will be read and written when the sums are there.
template <int64_t kVectors>
inline void prefetch_block(const float* first, int64_t row_stride, int64_t rows) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < kVectors; ++j) {
      __builtin_prefetch(first + i * row_stride + j * kWidth, 1, 3);
    }
  }
}

// A block of at most kPanelM x kVectors vectors of C.
template <class Cells, int64_t kVectors>
inline void multiply_panels(const Gemm& g, const Panels& p, Progress progress) {
  float* c = g.c + p.row * g.c_row + p.column;
  const float* addend = progress.first ? g.addend : g.c;
  const int64_t addend_row = progress.first ? g.addend_row : g.c_row;
  if (addend) {
    addend += p.row * addend_row + p.column;
    prefetch_block<kVectors>(addend, addend_row, p.rows);
  }
  if (progress.last && g.epilogue == Gemm::Epilogue::silu_mul_backward) {
    const float* gate = g.other + p.row * 2 * g.n + p.column;
    prefetch_block<kVectors>(gate, 2 * g.n, p.rows);
    prefetch_block<kVectors>(gate + g.n, 2 * g.n, p.rows);
  }
  Vector sum[kPanelM][kVectors];
  microkernel<Cells, kVectors>(p.cells, p.a, p.b, p.b_width, sum);
  const bool plain =
      !(progress.first && g.bias) && !(progress.last && g.epilogue != Gemm::Epilogue::none);
  if (plain && p.rows == kPanelM && p.columns == kVectors * kWidth) {
    CRIA_UNROLL
    for (int64_t i = 0; i < kPanelM; ++i) {
      CRIA_UNROLL
      for (int64_t j = 0; j < kVectors; ++j) {
        if (addend) sum[i][j] += load(addend + i * addend_row + j * kWidth);
        store(c + i * g.c_row + j * kWidth, sum[i][j]);
      }
    }
    return;
  }
  Vector block[kPanelM * kVectors];  // in memory, so that the sums above are in registers
  CRIA_UNROLL
  for (int64_t i = 0; i < kPanelM; ++i) {
    CRIA_UNROLL
    for (int64_t j = 0; j < kVectors; ++j) block[i * kVectors + j] = sum[i][j];
  }
  finish_block(progress.last ? g.epilogue : Gemm::Epilogue::none, g, p.row, p.rows, p.column,
               p.columns, block, kVectors, progress.first);
}

// The last panel may be narrower; zeros are not worth multiplying.
template <class Cells>
inline void multiply_panels(const Gemm& g, const Panels& p, Progress progress) {
  if (p.columns <= kWidth) {
    multiply_panels<Cells, 1>(g, p, progress);
  } else if (p.columns <= 2 * kWidth) {
    multiply_panels<Cells, 2>(g, p, progress);
  } else {
    multiply_panels<Cells, kPanelVectors>(g, p, progress);
  }
}

struct Range {
  int64_t begin, end;
};

// Packs columns [n0, n0 + count) of B, k0 onwards.
template <class Cells>
inline void pack_b(const Gemm& g, int64_t n0, int64_t count, int64_t k0, int64_t depth,
                   int64_t width, float* packed) {
  const float* source = g.b + k0 * g.b_row + n0 * g.b_column;
  if (g.b_column == 1) {
    pack_b_lanes<Cells>(source, g.b_row, count, depth, width, packed);
  } else {
    pack_b_transposed<Cells>(source, g.b_column, count, depth, width, packed);
  }
}

// A block of A as the microkernel reads it: where it is stored, or packed.
struct BlockA {
  const float* data;
  int64_t panel;      // from one panel of kPanelM rows to the next
  int64_t row, step;  // see PanelA
};

template <class Cells>
inline BlockA ready_a(const Gemm& g, int64_t m0, int64_t rows, int64_t k0, int64_t depth,
                      float* packed) {
  const float* source = g.a + m0 * g.a_row + k0 * g.a_column;
  const int64_t cells = ceil_div(depth, Cells::kNumbers);
  if (Cells::kAsStored) return {source, kPanelM * g.a_row, g.a_row, g.a_column};
  if (g.a_column == 1) {
    pack_rows<Cells>(source, g.a_row, rows, depth, packed);
    return {packed, kPanelM * cells, cells, 1};
  }
  pack_a_lanes<Cells>(source, g.a_column, rows, depth, packed);
  return {packed, kPanelM * cells, 1, kPanelM};
}

// Brings a block of lanes x depth numbers towards L2, bit by bit in `steps` steps, while other work
// goes on. Nothing to do when the block is empty.
class Prefetch {
 public:
  Prefetch(const float* first, int64_t lane_stride, int64_t k_stride, int64_t lanes, int64_t depth,
           int64_t steps)
      : row_(first),
        stride_(k_stride == 1 ? lane_stride : k_stride),
        rows_(k_stride == 1 ? lanes : depth),
        columns_(k_stride == 1 ? depth : lanes) {
    if (columns_ <= 0) rows_ = 0;
    per_step_ = ceil_div(max(0, rows_) * ceil_div(columns_, kLine), steps);
  }

  void step() {
    for (int64_t i = 0; i < per_step_ && rows_ > 0; ++i) {
      __builtin_prefetch(row_ + column_, 0, 2);
      column_ += kLine;
      if (column_ >= columns_) {
        column_ = 0;
        row_ += stride_;
        --rows_;
      }
    }
  }

 private:
  static constexpr int64_t kLine = 16;
  const float* row_;
  int64_t stride_, rows_, columns_, per_step_;
  int64_t column_ = 0;
};

// B as a product reads it, block of K by block of K: of each half, panel after panel.
template <class Cells>
struct LayoutB {
  explicit LayoutB(const Gemm& g)
      : width(panel_width(half_columns(g))),
        half(ceil_div(half_columns(g), width) * width),
        blocks(ceil_div(g.k, kBlockCells * Cells::kNumbers)),
        block_k(ceil_div(ceil_div(g.k, blocks), Cells::kNumbers) * Cells::kNumbers) {}

  int64_t width;    // of a panel
  int64_t half;     // columns of a half, filled up to whole panels
  int64_t blocks;   // along K
  int64_t block_k;  // numbers along K in a block

  // Where the panel of column `column` of half 0 starts in a whole packed B.
  int64_t offset(const Gemm& g, int64_t k0, int64_t depth_cells, int64_t column) const {
    return halves(g) * half * (k0 / Cells::kNumbers) + column * depth_cells;
  }
};

// A block of B, packed. Of silu_mul's two halves the second lies `half` floats after the first.
struct BlockB {
  const float* data;
  int64_t half, width, cells;
  int64_t column, columns;  // of the first half
};

// Rows [row, row + rows) of C by the columns of b's halves.
template <class Cells>
CRIA_INLINE void multiply_block(const Gemm& g, const BlockA& a, const BlockB& b, int64_t row,
                                int64_t rows, Prefetch& next_a, Prefetch& next_b,
                                Progress progress) {
  for (int64_t i = 0; i < rows; i += kPanelM) {
    const int64_t panel_rows = min(kPanelM, rows - i);
    const PanelA panel = panel_a(a.data + i / kPanelM * a.panel, a.row, panel_rows, a.step);
    for (int64_t j = 0; j < b.columns; j += b.width) {
      for (int64_t h = 0; h < halves(g); ++h) {
        next_a.step();
        next_b.step();
        const Panels panels = {.a = panel,
                               .b = b.data + h * b.half + j * b.cells,
                               .b_width = b.width,
                               .cells = b.cells,
                               .row = row + i,
                               .rows = panel_rows,
                               .column = h * half_columns(g) + b.column + j,
                               .columns = min(b.width, b.columns - j)};
        multiply_panels<Cells>(g, panels, progress);
      }
    }
  }
}

// Columns [n0, n0 + columns) of B (of both halves), k0 onwards: packed now, or where they are.
template <class Cells>
inline BlockB ready_b(const Gemm& g, const LayoutB<Cells>& layout, int64_t n0, int64_t columns,
                      int64_t k0, int64_t depth, float* packed) {
  const int64_t cells = ceil_div(depth, Cells::kNumbers);
  if (g.b_packed) {
    const float* data = g.b_packed + layout.offset(g, k0, cells, n0);
    return {data, layout.half * cells, layout.width, cells, n0, columns};
  }
  const int64_t half = ceil_div(columns, layout.width) * layout.width * cells;
  for (int64_t h = 0; h < halves(g); ++h) {
    pack_b<Cells>(g, h * half_columns(g) + n0, columns, k0, depth, layout.width, packed + h * half);
  }
  return {packed, half, layout.width, cells, n0, columns};
}

// Rows m and columns n of C on the calling thread. While one block of A or B is in use, the next is
// on its way.
template <class Cells>
inline void multiply(const Gemm& g, Range m, Range n, const Workspace& memory) {
  const LayoutB<Cells> layout(g);
  const int64_t block_k = layout.block_k, width = layout.width;
  const int64_t block_cells = block_k / Cells::kNumbers;
  const int64_t block_n = memory.packed_b_floats / (block_cells * halves(g)) / width * width;
  for (int64_t n0 = n.begin; n0 < n.end; n0 += block_n) {
    const int64_t columns = min(block_n, n.end - n0), panels = ceil_div(columns, width);
    for (int64_t k0 = 0; k0 < g.k; k0 += block_k) {
      const int64_t depth = min(block_k, g.k - k0);
      const Progress progress = {k0 == 0, k0 + depth == g.k};
      const BlockB b = ready_b<Cells>(g, layout, n0, columns, k0, depth, memory.packed_b);
      const int64_t b_n = progress.last ? n0 + block_n : n0;
      const int64_t b_k = progress.last ? 0 : k0 + block_k;
      Prefetch next_b(g.b + b_n * g.b_column + b_k * g.b_row, g.b_column, g.b_row,
                      g.b_packed ? 0 : min(block_n, n.end - b_n), min(block_k, g.k - b_k),
                      ceil_div(m.end - m.begin, kPanelM) * panels);
      for (int64_t m0 = m.begin; m0 < m.end; m0 += kBlockM) {
        const int64_t rows = min(kBlockM, m.end - m0);
        const bool last_m = m0 + kBlockM >= m.end;
        const int64_t a_m = last_m ? m.begin : m0 + kBlockM;
        const int64_t a_k = last_m ? k0 + block_k : k0;
        Prefetch next_a(g.a + a_m * g.a_row + a_k * g.a_column, g.a_row, g.a_column,
                        min(kBlockM, m.end - a_m), min(block_k, g.k - a_k),
                        ceil_div(rows, kPanelM) * panels);
        const BlockA a = ready_a<Cells>(g, m0, rows, k0, depth, memory.packed_a);
        multiply_block<Cells>(g, a, b, m0, rows, next_a, next_b, progress);
      }
    }
  }
}

// All of B packed, for products that come again.
template <class Cells>
inline void pack_whole_b(const Gemm& g, float* packed) {
  const LayoutB<Cells> layout(g);
  const int64_t half_n = half_columns(g);
  const int64_t panels = layout.half / layout.width;
  compute_for(layout.blocks * halves(g) * panels, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t k0 = i / panels / halves(g) * layout.block_k;
      const int64_t h = i / panels % halves(g), column = i % panels * layout.width;
      const int64_t depth = min(layout.block_k, g.k - k0);
      const int64_t cells = ceil_div(depth, Cells::kNumbers);
      pack_b<Cells>(g, h * half_n + column, min(layout.width, half_n - column), k0, depth,
                    layout.width, packed + layout.offset(g, k0, cells, h * layout.half + column));
    }
  });
}

inline void gemm_pack_b(const Gemm& g, float* packed) noexcept {
  if (g.precision == Precision::bf16) {
    pack_whole_b<Bf16Cells>(g, packed);
  } else {
    pack_whole_b<Fp32Cells>(g, packed);
  }
}

inline int64_t gemm_packed_b_floats(const Gemm& g) noexcept {
  const bool bf16 = g.precision == Precision::bf16;
  const int64_t half = bf16 ? LayoutB<Bf16Cells>(g).half : LayoutB<Fp32Cells>(g).half;
  return halves(g) * half * ceil_div(g.k, bf16 ? Bf16Cells::kNumbers : Fp32Cells::kNumbers);
}

struct Grid {
  int64_t rows, columns;
};

// The grid of at most `threads` cells whose largest cell costs least, in panels of m_panel rows and
// n_panel columns.
inline Grid choose_grid(int64_t m, int64_t m_panel, int64_t n, int64_t n_panel, int64_t threads) {
  Grid best = {1, 1};
  double best_cost = 1e300;
  for (int64_t rows = 1; rows <= threads; ++rows) {
    const int64_t columns = threads / rows;
    const double cell_m = static_cast<double>(ceil_div(ceil_div(m, m_panel), rows) * m_panel);
    const double cell_n = static_cast<double>(ceil_div(ceil_div(n, n_panel), columns) * n_panel);
    // Arithmetic first; packing one number costs about as much as 16 multiply-adds.
    const double cost = cell_m * cell_n + 16 * (cell_m + cell_n);
    if (cost < best_cost) {
      best_cost = cost;
      best = {rows, columns};
    }
  }
  return best;
}

// Part `index` of `parts` of [0, count), cut between panels.
inline Range share(int64_t count, int64_t panel, int64_t index, int64_t parts) {
  const int64_t panels = ceil_div(count, panel);
  return {panels * index / parts * panel, min(count, panels * (index + 1) / parts * panel)};
}

inline void gemm(const Gemm& g) noexcept {
  if (has_few_rows(g)) return multiply_few_rows(g);
  constexpr int64_t kSerialWork = 64 * 1024;  // multiply-adds below which threads cost more
  const int64_t n = half_columns(g), width = panel_width(n);
  const int64_t threads = g.m * g.n * g.k < kSerialWork ? 1 : max_threads();
  const Grid grid = choose_grid(g.m, kPanelM, n, width, threads);
  compute_for(grid.rows * grid.columns, 1, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t cell = begin; cell < end; ++cell) {
      const Range rows = share(g.m, kPanelM, cell / grid.columns, grid.rows);
      const Range columns = share(n, width, cell % grid.columns, grid.columns);
      if (rows.begin >= rows.end || columns.begin >= columns.end) continue;
      if (g.precision == Precision::bf16) {
        multiply<Bf16Cells>(g, rows, columns, thread_workspace(thread));
      } else {
        multiply<Fp32Cells>(g, rows, columns, thread_workspace(thread));
      }
    }
  });
}

}  // namespace
}  // namespace cria::CRIA_ISA
