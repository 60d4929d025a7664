// C[M,N] = A[M,K] B[K,N] + bias + addend, and what may be done to C while it is still in registers.
//
// The blocking, from the outside in, in the words of BLIS (Van Zee & van de Geijn, 2015). A cell is
// 32 bits: a number, or a pair of bf16 numbers that are neighbours along K.
//   rounds    as much of B as the packing buffer holds, 3/4 of a core's L2 for each thread; all
//             threads pack it together
//   tasks     MC x NC of C and all of the round's K, for whichever thread is free. NC columns of B
//             fill 3/4 of an L2 when KC deep
//   KC        384 cells: long enough to hide the writing of C. K is cut evenly into as many blocks
//             as that takes, whatever the machine: their sums are rounded in order
//   MC        96 rows of A, 144 KiB: what is prefetched ahead, and for bf16 packed
//   MR        8 rows of A, a panel of 12 KiB: in L1 while it meets every panel of the task's B
//   NR        3 vectors of columns of B: a panel streams from L2, one row of three vectors for the
//             24 multiply-adds of a step
//   registers MR x NR, 8 x 3 vectors of sums, of the 32 that AVX-512 has; a wider block would not
//             fit, a smaller one would load more often than it multiplies. With 16: 6 x 2, and
//             with SSE2, which has no broadcast, 4 x 3
// Tiles have sizes of their own (cells.h): 2 x 2 of them are 32 x 32 of C, and panels of 256 cells,
// 32 KiB of A, leave room in an L1 of 48 KiB for what streams by.
//
// Packing copies a block of B into panels, each contiguous in the order in which it is read, and
// rounds to bf16 where asked to. The microkernel reads A a number at a time, so the rows of an fp32
// A are read where they lie. An element of C is the same sum in the same order wherever the borders
// of tasks and rounds fall.
#pragma once

#include "cria/base/parallel.h"
#include "cria/kernels/kernels.h"
#include "kernels/generic/epilogue.h"
#include "kernels/generic/few_rows.h"
#include "kernels/generic/microkernel.h"
#include "kernels/generic/pack.h"
#include "kernels/generic/rows.h"
#include "kernels/generic/tiles.h"
#include "kernels/workspace.h"

namespace cria::CRIA_ISA {
namespace {

// The panels that a block of C comes from. A: see PanelA; in tiles, panel[step][row][cell].
struct Panels {
  const float* a;
  int64_t a_row, a_step;
  const float* b;
  int64_t b_width;  // see panel_width
  int64_t cells;    // depth
};

// Asks for what will be read and written when the sums are there.
inline void prefetch_block(const float* first, int64_t row_stride, const BlockC& block) {
  for (int64_t i = 0; i < block.rows; ++i) {
    for (int64_t j = 0; j < block.columns; j += 16) {
      __builtin_prefetch(first + i * row_stride + j, 1, 3);
    }
  }
}
inline void prefetch_for_finish(const Gemm& g, const BlockC& block) {
  if (const float* addend = block.addend(g)) {
    const int64_t stride = block.addend_row(g);
    prefetch_block(addend + block.row * stride + block.column, stride, block);
  }
  if (block.epilogue(g) == Gemm::Epilogue::silu_mul_backward) {
    const float* gate = g.other + block.row * 2 * g.n + block.column;
    prefetch_block(gate, 2 * g.n, block);
    prefetch_block(gate + g.n, 2 * g.n, block);
  }
}

// A's last rows, fewer than MR: what lies behind them may not be read. Rows that are not there hold
// anything; nobody stores what becomes of them.
template <class Cells>
inline PanelA copy_rows(const PanelA& a, int64_t rows, int64_t cells, float* copy) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t k = 0; k < cells; ++k) copy[i * cells + k] = a.first[i * a.row + k * a.step];
  }
  return {copy, cells, 1};
}

// A block of at most MR x kVectors vectors of C, in registers.
template <class Cells, int64_t kVectors>
inline void multiply_in_registers(const Gemm& g, const Panels& p, const BlockC& block) {
  prefetch_for_finish(g, block);
  constexpr int64_t kMR = Cells::kMR;
  Vector sum[kMR][kVectors];
  float edge[kMR * Cells::kKC];
  PanelA a = {p.a, p.a_row, p.a_step};
  if (block.rows < kMR) a = copy_rows<Cells>(a, block.rows, p.cells, edge);
  microkernel<Cells, kVectors>(p.cells, a, p.b, p.b_width, sum);
  if (block.is_plain(g) && block.rows == kMR && block.columns == kVectors * kWidth) {
    const float* addend = block.addend(g);
    const int64_t addend_row = block.addend_row(g);
    if (addend) addend += block.row * addend_row + block.column;
    float* c = g.c + block.row * g.c_row + block.column;
    CRIA_UNROLL
    for (int64_t i = 0; i < kMR; ++i) {
      CRIA_UNROLL
      for (int64_t j = 0; j < kVectors; ++j) {
        if (addend) sum[i][j] += load(addend + i * addend_row + j * kWidth);
        store(c + i * g.c_row + j * kWidth, sum[i][j]);
      }
    }
    return;
  }
  Vector sums[kMR * kVectors];  // in memory, so that the sums above are in registers
  CRIA_UNROLL
  for (int64_t i = 0; i < kMR; ++i) {
    CRIA_UNROLL
    for (int64_t j = 0; j < kVectors; ++j) sums[i * kVectors + j] = sum[i][j];
  }
  finish_block(g, block, sums, kVectors);
}

// The same in tiles. The thread's tiles are in use.
template <class Cells>
inline void multiply_in_tiles(const Gemm& g, const Panels& p, const BlockC& block) {
  TileFactors factors = {.a = p.a,
                         .a_step = Cells::kMR * Cells::kStep,
                         .b = p.b,
                         .b_row = p.b_width,
                         .steps = p.cells / Cells::kStep};
  const bool two_rows = block.rows > kTileRows, two_lanes = block.columns > kTileLanes;
  const bool whole = block.rows == (two_rows ? 2 : 1) * kTileRows &&
                     block.columns == (two_lanes ? 2 : 1) * kTileLanes;
  const float* addend = block.addend(g);
  const int64_t addend_row = block.addend_row(g);
  if (addend) addend += block.row * addend_row + block.column;
  if (whole && block.is_plain(g)) {
    factors.start = addend;
    factors.start_row = addend_row;
    float* c = g.c + block.row * g.c_row + block.column;
    return multiply_tiles(two_rows, two_lanes, factors, c, g.c_row);
  }
  // Neither is near when the sums are there, unless it is asked for.
  if (addend) {
    factors.later = addend;
    factors.later_row = addend_row;
  } else if (block.epilogue(g) == Gemm::Epilogue::silu_mul_backward) {
    factors.later_row = 2 * g.n;
    factors.later = g.other + block.row * factors.later_row + block.column;
  }
  alignas(64) float sums[Cells::kMR * Cells::kNR];
  multiply_tiles(two_rows, two_lanes, factors, sums, Cells::kNR);
  finish_block(g, block, reinterpret_cast<const Vector*>(sums), Cells::kNR / kWidth);
}

// A block of at most MR x NR of C. The last panel may be narrower; zeros are not worth multiplying.
template <class Cells>
inline void multiply_panels(const Gemm& g, const Panels& p, const BlockC& block) {
  if constexpr (Cells::kTiles) {
    multiply_in_tiles<Cells>(g, p, block);
  } else if (block.columns <= kWidth) {
    multiply_in_registers<Cells, 1>(g, p, block);
  } else if (block.columns <= 2 * kWidth) {
    multiply_in_registers<Cells, 2>(g, p, block);
  } else {
    multiply_in_registers<Cells, Cells::kNR / kWidth>(g, p, block);
  }
}

// A block of A as it is read: where it is stored, or packed.
struct BlockA {
  const float* data;
  int64_t panel;      // from one panel of MR rows to the next
  int64_t row, step;  // see PanelA; of tiles, step is what a cell further along K takes of a panel
};

template <class Cells>
inline BlockA ready_a(const Gemm& g, int64_t m0, int64_t rows, int64_t k0, int64_t depth,
                      float* packed) {
  const float* source = g.a + m0 * g.a_row + k0 * g.a_column;
  const int64_t cells = cells_of<Cells>(depth);
  if (Cells::kAsStored && g.a_column == 1) {
    return {source, Cells::kMR * g.a_row, g.a_row, g.a_column};
  }
  if constexpr (Cells::kTiles) {
    if (g.a_column == 1) {
      pack_tiles_of_rows<Cells>(source, g.a_row, rows, depth, packed);
    } else {
      pack_tiles_of_lanes<Cells>(source, g.a_column, rows, depth, packed);
    }
    return {packed, Cells::kMR * cells, 0, Cells::kMR};
  } else {
    if (g.a_column == 1) {
      pack_a_rows<Cells>(source, g.a_row, rows, depth, packed);
      return {packed, Cells::kMR * cells, cells, 1};
    }
    pack_a_lanes<Cells>(source, g.a_column, rows, depth, packed);
    return {packed, Cells::kMR * cells, 1, Cells::kMR};
  }
}

// Brings a block of lanes x depth numbers towards L2, bit by bit in `steps` steps, while other work
// goes on. Nothing to do when the block is empty.
class CachePrefetch {
 public:
  CachePrefetch(const float* first, int64_t lane_stride, int64_t k_stride, int64_t lanes,
                int64_t depth, int64_t steps)
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
      : width(panel_width<Cells>(half_columns(g))),
        half(ceil_div(half_columns(g), width) * width),
        blocks(ceil_div(g.k, Cells::kKC * Cells::kNumbers)),
        block_k(cells_of<Cells>(ceil_div(g.k, blocks)) * Cells::kNumbers) {}

  int64_t width;    // of a panel
  int64_t half;     // columns of a half, filled up to whole panels
  int64_t blocks;   // along K
  int64_t block_k;  // numbers along K in a block
  int64_t block_cells() const { return block_k / Cells::kNumbers; }
};

// Columns [column, column + columns) of each half and numbers [k, k + depth) along K of a packed B.
struct PackedB {
  float* data;
  int64_t half;  // columns from half to half
  int64_t column, columns, k, depth;
};

// Where the panel at a column of half h, from k0 on, stands in b.
template <class Cells>
inline float* panel_b(const Gemm& g, const PackedB& b, int64_t h, int64_t column, int64_t k0,
                      int64_t cells) {
  return b.data + halves(g) * b.half * ((k0 - b.k) / Cells::kNumbers) +
         (h * b.half + column - b.column) * cells;
}

// Fills b, all threads together: some rows of B at a time where its columns are neighbours in
// memory, and otherwise a panel.
template <class Cells>
inline void pack_whole_b(const Gemm& g, const LayoutB<Cells>& layout, const PackedB& b) {
  constexpr int64_t kRows = 16 * Cells::kNumbers;  // whole steps, in cells of any kind
  const bool by_rows = g.b_column == 1;
  const int64_t panels = ceil_div(b.columns, layout.width);
  const int64_t blocks = ceil_div(b.depth, layout.block_k);
  const int64_t parts = by_rows ? ceil_div(layout.block_k, kRows) : panels;
  const int64_t part_floats = by_rows ? kRows * b.columns : layout.block_k * layout.width;
  const int64_t grain = max(1, kGrain / part_floats);
  compute_for(blocks * halves(g) * parts, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t k0 = b.k + i / parts / halves(g) * layout.block_k;
      const int64_t h = i / parts % halves(g), part = i % parts;
      const int64_t depth = min(layout.block_k, b.k + b.depth - k0);
      const int64_t cells = cells_of<Cells>(depth);
      const float* source = g.b + k0 * g.b_row + h * half_columns(g) * g.b_column;
      if (by_rows) {
        const int64_t row = part * kRows;
        if (row >= depth) continue;
        pack_b_lanes<Cells>(
            source + row * g.b_row + b.column, g.b_row, b.columns, min(kRows, depth - row),
            layout.width, layout.width * cells,
            panel_b<Cells>(g, b, h, b.column, k0, cells) + row / Cells::kNumbers * layout.width);
      } else {
        const int64_t column = b.column + part * layout.width;
        const int64_t columns = min(layout.width, half_columns(g) - column);
        pack_b_transposed<Cells>(source + column * g.b_column, g.b_column, columns, depth,
                                 layout.width, panel_b<Cells>(g, b, h, column, k0, cells));
      }
    }
  });
}

// What one thread computes of C at a time: rows, and columns of each half.
struct Task {
  int64_t row, rows, column, columns;
};

// A task's part of the product with b. While one block of A is in use, the next is on its way; not
// for tiles, which wait for memory so much that it only delays what they ask for.
template <class Cells>
inline void run_task(const Gemm& g, const LayoutB<Cells>& layout, const PackedB& b,
                     const Task& task, float* packed_a) {
  constexpr int64_t kMR = Cells::kMR;
  const int64_t steps = ceil_div(task.rows, kMR) * ceil_div(task.columns, layout.width);
  for (int64_t k0 = b.k; k0 < b.k + b.depth; k0 += layout.block_k) {
    const int64_t depth = min(layout.block_k, b.k + b.depth - k0);
    const bool last = k0 + depth == b.k + b.depth;
    const int64_t next_m = last ? task.row + task.rows : task.row, next_k = last ? b.k : k0 + depth;
    CachePrefetch next_a(g.a + next_m * g.a_row + next_k * g.a_column, g.a_row, g.a_column,
                         Cells::kTiles ? 0 : min(task.rows, g.m - next_m),
                         min(layout.block_k, g.k - next_k), steps);
    const int64_t cells = cells_of<Cells>(depth);
    const BlockA a = ready_a<Cells>(g, task.row, task.rows, k0, depth, packed_a);
    for (int64_t i = 0; i < task.rows; i += kMR) {
      for (int64_t j = 0; j < task.columns; j += layout.width) {
        for (int64_t h = 0; h < halves(g); ++h) {
          next_a.step();
          multiply_panels<Cells>(g,
                                 {.a = a.data + i / kMR * a.panel,
                                  .a_row = a.row,
                                  .a_step = a.step,
                                  .b = panel_b<Cells>(g, b, h, task.column + j, k0, cells),
                                  .b_width = layout.width,
                                  .cells = cells},
                                 {.row = task.row + i,
                                  .rows = min(kMR, task.rows - i),
                                  .column = h * half_columns(g) + task.column + j,
                                  .columns = min(layout.width, task.columns - j),
                                  .first = k0 == 0,
                                  .last = k0 + depth == g.k});
        }
      }
    }
  }
}

template <bool kTiles>
struct ThreadTiles {};
template <>
struct ThreadTiles<true> : TilesInUse {};

// How C is cut into tasks: into about kTasksEach for a thread, as far as it goes, so that none
// waits long for another, but of at most MC rows and `most_columns`. Rows are cut before columns,
// because each task packs its A.
struct TaskGrid {
  int64_t rows, columns;  // of a task
  int64_t down, across;   // how many
  int64_t count() const { return down * across; }
};

template <class Cells>
inline TaskGrid cut_tasks(int64_t m, int64_t n, int64_t width, int64_t most_columns) {
  constexpr int64_t kTasksEach = 4;
  const int64_t wanted = kTasksEach * max_threads();
  TaskGrid grid;
  grid.rows = min(Cells::kMC, ceil_div(ceil_div(m, wanted), Cells::kMR) * Cells::kMR);
  grid.down = ceil_div(m, grid.rows);
  const int64_t across = max(ceil_div(n, most_columns), ceil_div(wanted, grid.down));
  grid.columns = ceil_div(ceil_div(n, across), width) * width;
  grid.across = ceil_div(n, grid.columns);
  return grid;
}

// All of C, from columns and numbers along K of B that are packed.
template <class Cells>
inline void run_tasks(const Gemm& g, const LayoutB<Cells>& layout, const PackedB& b,
                      int64_t most_columns) {
  const TaskGrid grid = cut_tasks<Cells>(g.m, b.columns, layout.width, most_columns);
  constexpr int64_t kGrainWork = 64 * 1024;  // multiply-adds that are worth waking a thread for
  const int64_t grain = max(1, kGrainWork / (grid.rows * grid.columns * b.depth));
  // Tasks with the same columns of B follow each other.
  compute_for(grid.count(), grain, [&](int64_t begin, int64_t end, int thread) {
    [[maybe_unused]] const ThreadTiles<Cells::kTiles> tiles;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i % grid.down * grid.rows, column = i / grid.down * grid.columns;
      run_task<Cells>(g, layout, b,
                      {.row = row,
                       .rows = min(grid.rows, g.m - row),
                       .column = b.column + column,
                       .columns = min(grid.columns, b.columns - column)},
                      thread_workspace(thread).packed_a);
    }
  });
}

template <class Cells>
inline void multiply(const Gemm& g) {
  const LayoutB<Cells> layout(g);
  const SharedWorkspace& memory = shared_workspace();
  const int64_t deep = layout.block_cells() * halves(g);  // cells of a column in a block of K
  const int64_t most_columns =
      max(1, memory.packed_b_floats / memory.threads / deep / layout.width) * layout.width;
  if (g.b_packed) {
    const PackedB all = {const_cast<float*>(g.b_packed), layout.half, 0, half_columns(g), 0, g.k};
    return run_tasks<Cells>(g, layout, all, most_columns);
  }
  const int64_t columns = min(layout.half, most_columns * memory.threads);
  const int64_t depth = max(1, memory.packed_b_floats / (deep * columns)) * layout.block_k;
  for (int64_t n0 = 0; n0 < half_columns(g); n0 += columns) {
    for (int64_t k0 = 0; k0 < g.k; k0 += depth) {
      const PackedB b = {memory.packed_b,     columns, n0, min(columns, half_columns(g) - n0), k0,
                         min(depth, g.k - k0)};
      pack_whole_b<Cells>(g, layout, b);
      run_tasks<Cells>(g, layout, b, most_columns);
    }
  }
}

inline void gemm_pack_b(const Gemm& g, float* packed) noexcept {
  const auto pack = [&]<class Cells>(const LayoutB<Cells>& layout) {
    pack_whole_b<Cells>(g, layout, {packed, layout.half, 0, half_columns(g), 0, g.k});
  };
  if (g.precision == Precision::bf16) {
    pack(LayoutB<Bf16Cells>(g));
  } else {
    pack(LayoutB<Fp32Cells>(g));
  }
}

inline int64_t gemm_packed_b_floats(const Gemm& g) noexcept {
  const auto floats = [&]<class Cells>(const LayoutB<Cells>& layout) {
    const int64_t before_last = (layout.blocks - 1) * layout.block_k;
    const int64_t cells = before_last / Cells::kNumbers + cells_of<Cells>(g.k - before_last);
    return halves(g) * layout.half * cells;
  };
  return g.precision == Precision::bf16 ? floats(LayoutB<Bf16Cells>(g))
                                        : floats(LayoutB<Fp32Cells>(g));
}

inline void gemm(const Gemm& g) noexcept {
  if (g.m == 0 || g.n == 0) return;
  if (has_few_rows(g)) {
    multiply_few_rows(g);
  } else if (g.precision == Precision::bf16) {
    multiply<Bf16Cells>(g);
  } else {
    multiply<Fp32Cells>(g);
  }
}

}  // namespace
}  // namespace cria::CRIA_ISA
