// A tile of attention's scores, and the products with it.
#pragma once

#include "cria/kernels/kernels.h"
#include "kernels/generic/gemm.h"
#include "kernels/generic/random.h"
#include "kernels/generic/rows.h"
#include "kernels/generic/vector.h"
#include "kernels/workspace.h"

namespace cria::CRIA_ISA {
namespace {

// A tile of scores: queries x keys, both of them multiples of a panel's rows and columns on every
// instruction set. A task of the forward pass takes four times the queries, for each tile of keys
// that it packs.
constexpr int64_t kTile = 96;
constexpr int64_t kMR = Fp32Cells::kMR;
constexpr int64_t kForwardRows = 4 * kTile;
static_assert(kTile % kMR == 0 && kForwardRows * kTile <= kTileFloats);
static_assert(kForwardRows <= RegisterBlock::kKC && kMaxHeadDim <= RegisterBlock::kKC);
static_assert(kTile % Bf16Cells::kMR == 0 && kTile % Bf16Cells::kNR == 0 &&
              kForwardRows * (kMaxHeadDim + kTile) / Bf16Cells::kNumbers <= kPackedAFloats);
static_assert(kTile % Fp32Cells::kNR == 0 && kRelativeRows % Fp32Cells::kNR == 0 &&
              (kMaxHeadDim + Fp32Cells::kNR) * kTile <= kHeadTileFloats);

// A tile has a gap between its rows, and rows of room before and after it, where there are tables
// of relative keys or queries: see relative.h. A task then takes two tiles of queries.
constexpr int64_t kWideRow = kTile + 48;
constexpr int64_t kWideForwardRows = 2 * kTile;
constexpr int64_t kWideStart = (kMR + 1) * kWideRow;
static_assert(kWideRow - kTile >= 2 * (kWidth + kMR - 1));
static_assert(kWideStart + (kWideForwardRows + kMR) * kWideRow <= kTileFloats);

inline bool is_wide(const Attention& a) {
  return a.relative.keys || a.relative.queries;
}

// One (sequence, query head): its matrices, and where they stand in the batch.
struct Head {
  const float *q, *k, *v;  // [queries, D], [keys, D], [keys, D]
  int64_t batch, head;
  int64_t offset;  // position of query 0
};

inline Head select_head(const Attention& a, int64_t batch, int64_t head) {
  const int64_t kv = batch * a.kv_batch + head / (a.heads / a.kv_heads) * a.head_dim;
  return {a.q + batch * a.q_batch + head * a.head_dim,
          a.k + kv,
          a.v + kv,
          batch,
          head,
          a.keys - a.queries};
}

// Rows of q, k, v, dout or a table, of one head.
struct Slice {
  const float* first;
  int64_t stride, rows, columns;
};

// A slice as the right factor of a product: transposed to [columns, rows], summed over columns, or
// as it is, summed over rows. Where cells are what is stored the slice is multiplied by a factor.
struct Packed {
  const float* panels;
  int64_t width, cells;
};
enum class Form { transposed, plain };

template <class Cells>
inline Packed pack_slice(Form form, const Slice& slice, float* panels, float factor = 1) {
  const bool transposed = form == Form::transposed;
  const int64_t columns = transposed ? slice.rows : slice.columns;
  const int64_t depth = transposed ? slice.columns : slice.rows;
  const int64_t width = panel_width<Cells>(columns), cells = cells_of<Cells>(depth);
  if (transposed) {
    pack_b_transposed<Cells>(slice.first, slice.stride, columns, depth, width, panels);
  } else {
    pack_b_lanes<Cells>(slice.first, slice.stride, columns, depth, width, width * cells, panels);
  }
  if constexpr (Cells::kAsStored) {
    if (factor != 1) scale_row(panels, ceil_div(columns, width) * width * cells, factor);
  }
  return {panels, width, cells};
}

// The left factor of a product: element (i, k) is a[i * row + k * step]. One of the two is 1,
// unless it is read where it is stored.
template <class Cells>
inline BlockA ready_rows(const float* a, int64_t row, int64_t step, int64_t rows, int64_t depth,
                         float* packed) {
  Gemm g{};
  g.a = a;
  g.a_row = row;
  g.a_column = step;
  return ready_a<Cells>(g, 0, rows, 0, depth, packed);
}
inline BlockA stored(const float* a, int64_t row, int64_t step) {
  return {a, Fp32Cells::kMR * row, row, step};
}

// The part of the product of MR rows that somebody reads: columns [first, last), summed over
// [begin, end). The first column is a multiple of kWidth. Cells and steps that hold several numbers
// are summed whole, so A must be 0 where such a sum reaches beyond [begin, end).
struct Band {
  int64_t begin, end, first, last;
};

// What a product becomes, or is added to.
struct Target {
  float* c;
  int64_t row;
  bool accumulate;
};

// C[rows, ...] = A B, or += A B. band(i): the Band of the MR rows from i on.
template <class Cells, class BandOfRows>
inline void multiply_tile(int64_t rows, const BlockA& a, const Packed& b, const Target& target,
                          BandOfRows&& band) {
  constexpr int64_t kMR = Cells::kMR;
  Gemm g{};
  g.c = target.c;
  g.c_row = target.row;
  g.addend = target.accumulate ? target.c : nullptr;
  g.addend_row = target.row;
  for (int64_t i = 0; i < rows; i += kMR) {
    const Band needed = band(i);
    const int64_t skipped_cells = needed.begin / (Cells::kNumbers * Cells::kStep) * Cells::kStep;
    const int64_t cells = cells_of<Cells>(needed.end - skipped_cells * Cells::kNumbers);
    // The band may begin in the middle of a panel.
    int64_t column = needed.first, skipped = needed.first % b.width;
    while (column < needed.last) {
      const int64_t columns = min(b.width - skipped, needed.last - column);
      multiply_panels<Cells>(
          g,
          {.a = a.data + i / kMR * a.panel + skipped_cells * a.step,
           .a_row = a.row,
           .a_step = a.step,
           .b = b.panels + (column - skipped) * b.cells + skipped + skipped_cells * b.width,
           .b_width = b.width,
           .cells = cells},
          {.row = i,
           .rows = min(kMR, rows - i),
           .column = column,
           .columns = columns,
           .first = true,
           .last = true});
      column += columns;
      skipped = 0;
    }
  }
}

// Scores of some queries and keys, scaled and not yet masked.
struct ScoreTile {
  float* scores;             // [rows, columns], or their gradient
  int64_t rows, columns;     // at most kTile columns
  int64_t row_stride;        // kTile or kWideRow
  int64_t query, key;        // positions of the tile's first row and first column in the sequence
  const int32_t* first_key;  // of each row; null: 0
};

// The first key that a query sees.
inline int64_t first_key(const Attention& a, int64_t batch, int64_t query) {
  return a.first_key ? a.first_key[batch * a.queries + query] : 0;
}

// The tile of the queries from i0 and the keys from j0 on. Rows at its end that see none of its
// keys, since their first key comes later, are left out. memory: [kTileFloats]
inline ScoreTile tile_at(const Attention& a, const Head& head, int64_t i0, int64_t rows, int64_t j0,
                         float* memory) {
  const bool wide = is_wide(a);
  while (rows > 0 && first_key(a, head.batch, i0 + rows - 1) >= j0 + kTile) --rows;
  return {memory + (wide ? kWideStart : 0),
          rows,
          min(kTile, a.keys - j0),
          wide ? kWideRow : kTile,
          head.offset + i0,
          j0,
          a.first_key ? a.first_key + head.batch * a.queries + i0 : nullptr};
}

// A tile's keys from j0 on, and their values, of one head.
inline Slice keys_of(const Attention& a, const Head& head, int64_t j0) {
  return {head.k + j0 * a.kv_row, a.kv_row, min(kTile, a.keys - j0), a.head_dim};
}
inline Slice values_of(const Attention& a, const Head& head, int64_t j0) {
  return {head.v + j0 * a.kv_row, a.kv_row, min(kTile, a.keys - j0), a.head_dim};
}

// The queries and keys of a tile, of one head.
inline Slice queries_of(const Attention& a, const Head& head, const ScoreTile& tile) {
  return {head.q + (tile.query - head.offset) * a.q_row, a.q_row, tile.rows, a.head_dim};
}
inline Slice keys_of(const Attention& a, const Head& head, const ScoreTile& tile) {
  return keys_of(a, head, tile.key);
}

// How many of a tile's columns its row i may see.
inline int64_t visible_columns(const ScoreTile& tile, int64_t i) {
  return max(0, min(tile.columns, tile.query + i - tile.key + 1));
}

// How many of those its row i may still not see, since they come before its first key.
inline int64_t hidden_columns(const ScoreTile& tile, int64_t i) {
  return tile.first_key ? max(0, tile.first_key[i] - tile.key) : 0;
}

// What the MR rows from i on have in common: the columns that the last of them sees.
template <class Cells = Fp32Cells>
inline int64_t needed_columns(const ScoreTile& tile, int64_t i) {
  return visible_columns(tile, min(i + Cells::kMR, tile.rows) - 1);
}

// Where a running maximum begins: below any score.
constexpr float kLowestScore = -3.0e38f;

// The scale is in the packed keys and queries where cells are what is stored, and otherwise a
// factor of the scores and of their gradient.
template <class Cells>
inline float packed_scale(const Attention& a) {
  return Cells::kAsStored ? a.scale : 1;
}
template <class Cells>
inline float score_scale(const Attention& a) {
  return Cells::kAsStored ? 1 : a.scale;
}

inline bool drops(const Attention& a) {
  return a.dropout.scale != 1;
}

// The probabilities of query i and keys j0.., after dropout.
inline void drop_probabilities(const Attention& a, const Head& head, int64_t i, int64_t j0,
                               float* row, int64_t count) {
  const int64_t query = (head.batch * a.heads + head.head) * a.queries + i;
  drop_row(row, count, query * a.keys + j0, a.dropout);
}

}  // namespace
}  // namespace cria::CRIA_ISA
