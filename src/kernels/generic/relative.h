// The part of attention's scores that depends on the offset of the key from the query, see
// RelativeScores in kernels.h.
//
// For a tile of scores a table row t stands for one diagonal: row r of the tile meets it in column
//   c = t - base + r,  base = rows - 1 + (position of the first key - of the first query).
// So the matrix of products [tile rows, table rows], written with a row stride that is one longer
// than the tile's, lands on the scores it belongs to: a product with a table is an ordinary matrix
// product on a skewed view of the tile. A panel of kMR rows needs the table rows of its own
// diagonals only, kMR - 1 more than there are columns, and whole vectors of them; what that is
// too much lands in the gap between the tile's rows. Read back, in the backward pass, the gap is
// zero.
//   S(r, t) += q_r . keys_t           skewed rows
//   S(c, t) += k_c . queries_t        skewed columns: computed as rows of the transposed tile
#pragma once

#include "kernels/generic/tile.h"

namespace cria::CRIA_ISA {
namespace {

// A head and its tables, packed. The queries' are in the order of distances, so that a key meets
// the rows of the tile in their order.
struct RelativeHead : Head {
  int64_t rows = 0;  // of the tables that are in use: a multiple of kRelativeRows
  const float* bias = nullptr;
  Packed keys_transposed{}, keys{};
  Packed queries_transposed{}, queries{};
  // The rows that all far pairs share, and from which distance on; [D], not scaled.
  const float *far_key = nullptr, *far_query = nullptr;
  int64_t uniform_from = 0;
  // One sequence's gradients, from the first row in use.
  float *dkeys = nullptr, *dqueries = nullptr, *dbias = nullptr;
  int64_t dkeys_row = 0, dqueries_row = 0;
};

inline int64_t rows_in_use(const Attention& a) {
  return ceil_div(a.keys, kRelativeRows) * kRelativeRows;
}

// Both forms of one head's slice of a table, or of where it will stand.
struct PackedTable {
  Packed transposed, plain;
};

inline PackedTable packed_table(const Attention& a, int64_t rows, float* memory) {
  const int64_t width = panel_width<Fp32Cells>(a.head_dim);
  return {{memory, panel_width<Fp32Cells>(rows), a.head_dim},
          {memory + rows * a.head_dim, width, rows}};
}

inline int64_t packed_table_floats(const Attention& a, int64_t rows) {
  const int64_t width = panel_width<Fp32Cells>(a.head_dim);
  return rows * (a.head_dim + ceil_div(a.head_dim, width) * width);
}

// Where table `index` of all (those of the keys' heads, then those of the query heads) is packed.
inline float* table_memory(const Attention& a, int64_t index) {
  return a.relative.packed + index * packed_table_floats(a, rows_in_use(a));
}

inline void pack_tables(const Attention& a) {
  const RelativeScores& t = a.relative;
  if (!t.keys && !t.queries) return;
  const int64_t rows = rows_in_use(a), first = t.rows - rows;
  compute_tasks(a.kv_heads + a.heads, [&](int64_t index, int) {
    const bool is_keys = index < a.kv_heads;
    const float* table = is_keys ? t.keys : t.queries;
    if (!table) return;
    const int64_t stride = (is_keys ? a.kv_heads : a.heads) * a.head_dim;
    const int64_t head = is_keys ? index : index - a.kv_heads;
    // Backwards through the queries' table.
    const Slice slice = {table + (is_keys ? first : t.rows - 1) * stride + head * a.head_dim,
                         is_keys ? stride : -stride, rows, a.head_dim};
    float* memory = table_memory(a, index);
    pack_slice<Fp32Cells>(Form::transposed, slice, memory, a.scale);
    pack_slice<Fp32Cells>(Form::plain, slice, memory + rows * a.head_dim, a.scale);
  });
}

inline RelativeHead relative_head(const Attention& a, const Head& plain) {
  const RelativeScores& t = a.relative;
  const int64_t head = plain.head;
  RelativeHead r{plain};
  r.rows = rows_in_use(a);
  r.uniform_from = t.uniform_from;
  const int64_t far = t.rows - 1 - min(t.uniform_from, r.rows - 1);
  if (t.bias) r.bias = t.bias + head * t.rows + t.rows - r.rows;
  if (t.keys) {
    const int64_t kv_head = head / (a.heads / a.kv_heads);
    const PackedTable packed = packed_table(a, r.rows, table_memory(a, kv_head));
    r.keys_transposed = packed.transposed;
    r.keys = packed.plain;
    r.far_key = t.keys + (far * a.kv_heads + kv_head) * a.head_dim;
  }
  if (t.queries) {
    const PackedTable packed = packed_table(a, r.rows, table_memory(a, a.kv_heads + head));
    r.queries_transposed = packed.transposed;
    r.queries = packed.plain;
    r.far_query = t.queries + (far * a.heads + head) * a.head_dim;
  }
  return r;
}

// The same with one sequence's gradients.
inline RelativeHead relative_head(const AttentionGradient& g, const Head& plain) {
  const Attention& a = g.forward;
  const int64_t batch = plain.batch, head = plain.head;
  RelativeHead r = relative_head(a, plain);
  const int64_t rows = a.relative.rows, first = batch * rows + rows - r.rows;
  r.dkeys_row = a.kv_heads * a.head_dim;
  r.dqueries_row = a.heads * a.head_dim;
  if (g.relative.dkeys) {
    r.dkeys = g.relative.dkeys + first * r.dkeys_row + head / (a.heads / a.kv_heads) * a.head_dim;
  }
  if (g.relative.dqueries) {
    r.dqueries = g.relative.dqueries + first * r.dqueries_row + head * a.head_dim;
  }
  if (g.relative.dbias) {
    r.dbias = g.relative.dbias + (batch * a.heads + head) * rows + rows - r.rows;
  }
  return r;
}

inline int64_t diagonal_base(const RelativeHead& r, const ScoreTile& tile) {
  return r.rows - 1 + tile.key - tile.query;
}

inline int64_t round_down(int64_t count) {
  return count / kWidth * kWidth;
}
inline int64_t round_up(int64_t count) {
  return ceil_div(count, kWidth) * kWidth;
}

// Table rows [begin, end) that rows [i, i + kMR) of the tile meet in its first `columns`.
struct Diagonals {
  int64_t begin, end;
};
inline Diagonals diagonals_of(const RelativeHead& r, const ScoreTile& tile, int64_t i,
                              int64_t columns) {
  const int64_t base = diagonal_base(r, tile), last = min(i + kMR, tile.rows) - 1;
  return {max(0, base - last), min(r.rows, base + columns - i)};
}

// S(r, t) += scale q_r . keys_t
inline void add_key_table(const RelativeHead& relative, const ScoreTile& tile, const Slice& q) {
  multiply_tile<Fp32Cells>(
      tile.rows, stored(q.first, q.stride, 1), relative.keys_transposed,
      {tile.scores - diagonal_base(relative, tile), tile.row_stride + 1, true}, [&](int64_t i) {
        const Diagonals t = diagonals_of(relative, tile, i, needed_columns(tile, i));
        return Band{0, q.columns, round_down(t.begin), round_up(t.end)};
      });
}

// S(c, u) += scale k_c . queries_u, u the distance: row r = c + u + shift of the tile. Computed
// for kTile rows at a time as rows of the transposed tile, in `transposed`.
inline void add_query_table(const RelativeHead& relative, const ScoreTile& tile, const Slice& k,
                            float* transposed) {
  for (int64_t first = 0; first < tile.rows; first += kTile) {
    const int64_t rows = min(kTile, tile.rows - first), shift = tile.key - tile.query - first;
    multiply_tile<Fp32Cells>(tile.columns, stored(k.first, k.stride, 1),
                             relative.queries_transposed, {transposed + shift, kWideRow + 1, false},
                             [&](int64_t c) {
                               const int64_t last = min(c + kMR, tile.columns) - 1;
                               return Band{0, k.columns, round_down(max(0, -shift - last)),
                                           min(relative.rows, round_up(max(0, rows - shift - c)))};
                             });
    for (int64_t r = 0; r < rows; r += kWidth) {
      const int64_t end = min(r + kWidth, rows);
      const int64_t columns = visible_columns(tile, first + end - 1);
      for (int64_t c = 0; c < columns; c += kWidth) {
        Vector square[kWidth];
        CRIA_UNROLL
        for (int64_t i = 0; i < kWidth; ++i) square[i] = load(transposed + (c + i) * kWideRow + r);
        transpose(square);
        float* scores = tile.scores + (first + r) * tile.row_stride + c;
        for (int64_t i = 0; i < end - r; ++i, scores += tile.row_stride) {
          store(scores, load(scores) + square[i]);
        }
      }
    }
  }
}

// to[j] += from[j]
inline void add_row(float* __restrict to, const float* __restrict from, int64_t count) {
  for (int64_t j = 0; j < count; ++j) to[j] += from[j];
}

// Whether all pairs of a tile are so far apart that they share a row of the tables.
inline bool is_far(const RelativeHead& relative, const ScoreTile& tile) {
  return tile.query - (tile.key + tile.columns - 1) >= relative.uniform_from;
}

// S(r, c) += scale (q_r . far_key + k_c . far_query)
inline void add_far_rows(const Attention& a, const RelativeHead& relative, const ScoreTile& tile) {
  const float* q = queries_of(a, relative, tile).first;
  const float* k = keys_of(a, relative, tile).first;
  float of_keys[kTile];
  for (int64_t c = 0; c < tile.columns; ++c) {
    of_keys[c] =
        relative.far_query ? a.scale * dot(a.head_dim, k + c * a.kv_row, relative.far_query) : 0;
  }
  for (int64_t r = 0; r < tile.rows; ++r) {
    float* row = tile.scores + r * tile.row_stride;
    const float of_query =
        relative.far_key ? a.scale * dot(a.head_dim, q + r * a.q_row, relative.far_key) : 0;
    for (int64_t c = 0; c < tile.columns; ++c) row[c] += of_query + of_keys[c];
  }
}

// All that the tables add to a tile.
inline void add_relative(const Attention& a, const RelativeHead& relative, const ScoreTile& tile,
                         float* transposed) {
  if (is_wide(a) && is_far(relative, tile)) {
    add_far_rows(a, relative, tile);
  } else {
    if (a.relative.keys) add_key_table(relative, tile, queries_of(a, relative, tile));
    if (a.relative.queries) add_query_table(relative, tile, keys_of(a, relative, tile), transposed);
  }
  if (relative.bias) {
    const int64_t base = diagonal_base(relative, tile);
    for (int64_t r = 0; r < tile.rows; ++r) {
      add_row(tile.scores + r * tile.row_stride, relative.bias + base - r,
              visible_columns(tile, r));
    }
  }
}

// The gap around a wide tile of gradients, as far as skewed products read it.
inline void clear_gap(const ScoreTile& ds) {
  const auto clear = [&](int64_t row, int64_t column, int64_t count) {
    float* first = ds.scores + row * ds.row_stride + column;
    for (int64_t c = 0; c < count; ++c) first[c] = 0;
  };
  for (int64_t r = 0; r < ds.rows; ++r) {
    clear(r, -kMR, kMR);
    clear(r, ds.columns, kMR);
  }
  for (int64_t r = 1; r <= kMR; ++r) {
    clear(-r, 0, ds.columns);
    clear(ds.rows - 1 + r, 0, ds.columns);
  }
}

// dQ(r) += dS(r, t) scale keys_t
inline void add_key_table_to_dq(const RelativeHead& relative, const ScoreTile& ds, int64_t head_dim,
                                float* dq, int64_t q_row) {
  multiply_tile<Fp32Cells>(
      ds.rows, stored(ds.scores - diagonal_base(relative, ds), ds.row_stride + 1, 1), relative.keys,
      {dq, q_row, true}, [&](int64_t i) {
        const Diagonals t = diagonals_of(relative, ds, i, needed_columns(ds, i));
        return Band{t.begin, max(t.begin, t.end), 0, head_dim};
      });
}

// dkeys(t) += dS(r, t) scale q_r, queries packed plain
inline void add_to_dkeys(const RelativeHead& relative, const ScoreTile& ds, const Packed& queries,
                         int64_t head_dim) {
  const int64_t base = diagonal_base(relative, ds);
  const int64_t first = max(0, base - (ds.rows - 1));
  const int64_t count = min(relative.rows, base + ds.columns) - first;
  multiply_tile<Fp32Cells>(
      count, stored(ds.scores - base + first, 1, ds.row_stride + 1), queries,
      {relative.dkeys + first * relative.dkeys_row, relative.dkeys_row, true}, [&](int64_t i) {
        const int64_t t = first + i, last = min(i + kMR, count) - 1 + first;
        const int64_t begin = max(0, base - last);
        return Band{begin, max(begin, min(ds.rows, base - t + ds.columns)), 0, head_dim};
      });
}

// dK(c) += dS(c, u) scale queries_u
inline void add_query_table_to_dk(const RelativeHead& relative, const ScoreTile& ds,
                                  int64_t head_dim, float* dk, int64_t k_row) {
  const int64_t shift = ds.key - ds.query;
  multiply_tile<Fp32Cells>(
      ds.columns, stored(ds.scores + shift * ds.row_stride, ds.row_stride + 1, ds.row_stride),
      relative.queries, {dk, k_row, true}, [&](int64_t c) {
        const int64_t last = min(c + kMR, ds.columns) - 1;
        const int64_t begin = max(0, -shift - last);
        return Band{begin, max(begin, ds.rows - shift - c), 0, head_dim};
      });
}

// dqueries(u) += dS(c, u) scale k_c, keys packed plain
inline void add_to_dqueries(const RelativeHead& relative, const ScoreTile& ds, const Packed& keys,
                            int64_t head_dim) {
  const int64_t shift = ds.key - ds.query;
  const int64_t first = max(0, -shift - (ds.columns - 1)), count = ds.rows - shift - first;
  multiply_tile<Fp32Cells>(
      count, stored(ds.scores + (shift + first) * ds.row_stride, ds.row_stride, ds.row_stride + 1),
      keys,
      {relative.dqueries + (relative.rows - 1 - first) * relative.dqueries_row,
       -relative.dqueries_row, true},
      [&](int64_t i) {
        const int64_t u = first + i, last = min(i + kMR, count) - 1 + first;
        const int64_t begin = max(0, -shift - last);
        return Band{begin, max(begin, min(ds.columns, ds.rows - shift - u)), 0, head_dim};
      });
}

// y += factor x
inline void add_scaled(float* __restrict y, float factor, const float* __restrict x,
                       int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] += factor * x[i];
}

// dbias(t) += factor dS(r, t)
inline void add_to_dbias(const RelativeHead& relative, const ScoreTile& ds, float factor) {
  const int64_t base = diagonal_base(relative, ds);
  for (int64_t r = 0; r < ds.rows; ++r) {
    add_scaled(relative.dbias + base - r, factor, ds.scores + r * ds.row_stride,
               visible_columns(ds, r));
  }
}

inline float row_sum(const float* row, int64_t count) {
  Vector total{};
  for_vectors(
      count, [&](int64_t j) { total += load(row + j); },
      [&](int64_t j, int64_t lanes) { total += load_part(row + j, lanes, 0); });
  return sum(total);
}

// Adds to dQ what comes of the tables; a far tile adds dQ(r) += scale far_key sum_c dS(r, c).
inline void add_relative_to_dq(const Attention& a, const RelativeHead& relative,
                               const ScoreTile& ds, float* dq) {
  if (!a.relative.keys) return;
  if (!is_far(relative, ds)) {
    add_key_table_to_dq(relative, ds, a.head_dim, dq, a.q_row);
    return;
  }
  for (int64_t r = 0; r < ds.rows; ++r) {
    const float total = row_sum(ds.scores + r * ds.row_stride, ds.columns);
    add_scaled(dq + r * a.q_row, a.scale * total, relative.far_key, a.head_dim);
  }
}

// Adds to dK what comes of the tables, and to the tables' own gradients. A far tile adds:
//   dfar_key += scale sum_r q_r sum_c dS(r, c)
//   dK(c) += scale far_query sum_r dS(r, c),  dfar_query += scale sum_c k_c sum_r dS(r, c)
// packed_q and packed_k are scaled and packed plain.
template <class Cells>
inline void add_relative_to_dk(const Attention& a, const RelativeHead& relative,
                               const ScoreTile& ds, const Packed& packed_q, const Packed& packed_k,
                               float* dk) {
  // ds divided by the scale is the gradient of the scores, which the bias is added to.
  if (relative.dbias) add_to_dbias(relative, ds, 1 / score_scale<Cells>(a));
  if (!is_wide(a)) return;
  if (!is_far(relative, ds)) {
    if (a.relative.queries) add_query_table_to_dk(relative, ds, a.head_dim, dk, a.kv_row);
    if (relative.dkeys) add_to_dkeys(relative, ds, packed_q, a.head_dim);
    if (relative.dqueries) add_to_dqueries(relative, ds, packed_k, a.head_dim);
    return;
  }
  const float* q = queries_of(a, relative, ds).first;
  const float* k = keys_of(a, relative, ds).first;
  const int64_t far = relative.rows - 1 - relative.uniform_from;
  float totals[kTile] = {};
  for (int64_t r = 0; r < ds.rows; ++r) {
    const float* row = ds.scores + r * ds.row_stride;
    add_row(totals, row, ds.columns);
    if (relative.dkeys) {
      add_scaled(relative.dkeys + far * relative.dkeys_row, a.scale * row_sum(row, ds.columns),
                 q + r * a.q_row, a.head_dim);
    }
  }
  if (!a.relative.queries) return;
  for (int64_t c = 0; c < ds.columns; ++c) {
    const float total = a.scale * totals[c];
    add_scaled(dk + c * a.kv_row, total, relative.far_query, a.head_dim);
    if (relative.dqueries) {
      add_scaled(relative.dqueries + far * relative.dqueries_row, total, k + c * a.kv_row,
                 a.head_dim);
    }
  }
}

// One sequence's and kv head's part of the gradients.
inline void clear_gradients(const AttentionGradient& g, int64_t batch, int64_t kv_head) {
  const Attention& a = g.forward;
  const int64_t group = a.heads / a.kv_heads;
  const auto clear = [](float* first, int64_t rows, int64_t stride, int64_t count) {
    for (int64_t t = 0; t < rows; ++t) {
      for (int64_t d = 0; d < count; ++d) first[t * stride + d] = 0;
    }
  };
  const int64_t rows = a.relative.rows;
  const int64_t keys_row = a.kv_heads * a.head_dim, queries_row = a.heads * a.head_dim;
  if (g.relative.dkeys) {
    clear(g.relative.dkeys + batch * rows * keys_row + kv_head * a.head_dim, rows, keys_row,
          a.head_dim);
  }
  if (g.relative.dqueries) {
    clear(g.relative.dqueries + batch * rows * queries_row + kv_head * group * a.head_dim, rows,
          queries_row, group * a.head_dim);
  }
  if (g.relative.dbias) {
    clear(g.relative.dbias + (batch * a.heads + kv_head * group) * rows, group, rows, rows);
  }
}

}  // namespace
}  // namespace cria::CRIA_ISA
