// Causal attention over tiles of scores: memory is O(T), see Attention in kernels.h.
#pragma once

#include "cria/base/parallel.h"
#include "kernels/generic/few_queries.h"
#include "kernels/generic/relative.h"
#include "kernels/generic/tile.h"

namespace cria::CRIA_ISA {
namespace {

// tile = x[rows, D] y^T, y packed transposed: scores, or their gradient's counterpart dO V^T.
template <class Cells>
inline void multiply_rows(const ScoreTile& tile, const BlockA& x, const Packed& y,
                          int64_t head_dim) {
  multiply_tile<Cells>(tile.rows, x, y, {tile.scores, tile.row_stride, false}, [&](int64_t i) {
    return Band{0, head_dim, 0, needed_columns<Cells>(tile, i)};
  });
}

// out[rows, D] += tile y, y packed plain. packed: room for the tile as a left factor.
template <class Cells>
inline void add_tile_times(const ScoreTile& tile, const Packed& y, int64_t head_dim,
                           const Target& out, float* packed) {
  const BlockA a =
      ready_rows<Cells>(tile.scores, tile.row_stride, 1, tile.rows, tile.columns, packed);
  multiply_tile<Cells>(tile.rows, a, y, out, [&](int64_t i) {
    return Band{0, needed_columns<Cells>(tile, i), 0, head_dim};
  });
}

// out[columns, D] += tile^T y, y packed plain. The first query that sees key j is the first needed.
template <class Cells>
inline void add_transposed_tile_times(const ScoreTile& tile, const Packed& y, int64_t head_dim,
                                      const Target& out, float* packed) {
  const BlockA a =
      ready_rows<Cells>(tile.scores, 1, tile.row_stride, tile.columns, tile.rows, packed);
  multiply_tile<Cells>(tile.columns, a, y, out, [&](int64_t j) {
    return Band{max(0, min(tile.rows, tile.key + j - tile.query)), tile.rows, 0, head_dim};
  });
}

// tile = scale Q K^T + relative; q: the tile's queries, keys packed transposed. transposed: see
// relative.h.
template <class Cells>
inline void score_tile(const Attention& a, const RelativeHead& head, const BlockA& q,
                       const Packed& keys, const ScoreTile& tile, float* transposed) {
  multiply_rows<Cells>(tile, q, keys, a.head_dim);
  if (score_scale<Cells>(a) != 1) {
    for (int64_t i = 0; i < tile.rows; ++i) {
      scale_row(tile.scores + i * tile.row_stride, visible_columns(tile, i), a.scale);
    }
  }
  add_relative(a, head, tile, transposed + kWideStart);
}

// The column up to which row i must hold zeros after its visible columns: a left factor that is
// packed is read whole, one that is read where it is stored as far as its panel needs it.
template <class Cells>
inline int64_t zeros_until(const ScoreTile& tile, int64_t i) {
  if (!Cells::kAsStored) return tile.columns;
  return needed_columns<Cells>(tile, i / Cells::kMR * Cells::kMR);
}

// Turns the scores of row i into exp(score - shift), and into 0 where it does not see, up to
// `columns`. Returns the sum.
CRIA_INLINE float exponentiate_row(const ScoreTile& tile, int64_t i, int64_t columns, float shift) {
  float* row = tile.scores + i * tile.row_stride;
  const int64_t hidden = hidden_columns(tile, i);
  for (int64_t j = 0; j < hidden; ++j) row[j] = 0;
  return exponentiate(row + hidden, visible_columns(tile, i) - hidden, columns - hidden, shift);
}

// The first tile of keys that queries from i0 on see.
inline int64_t first_keys(const Attention& a, int64_t batch, int64_t i0) {
  return first_key(a, batch, i0) / kTile * kTile;
}

// out[i] and log_sum_exp[i] for the queries i0.. of one head, by the online softmax: with the
// running maximum m and denominator l, a new tile's scores s give
//   m' = max(m, max s),  l' = l exp(m - m') + sum exp(s - m'),  out' = out exp(m - m') + P V
template <class Cells>
inline void attend_rows(const Attention& a, const RelativeHead& head, int64_t i0, int64_t rows,
                        const Workspace& memory) {
  float* out = a.out + head.batch * a.out_batch + i0 * a.out_row + head.head * a.head_dim;
  float maximum[kForwardRows], denominator[kForwardRows];
  for (int64_t i = 0; i < rows; ++i) {
    maximum[i] = kLowestScore;
    denominator[i] = 0;
    // The first tile overwrites out, but then it need not reach all rows.
    if (a.first_key) clear_row(out + i * a.out_row, a.head_dim);
  }
  const BlockA q =
      ready_rows<Cells>(head.q + i0 * a.q_row, a.q_row, 1, rows, a.head_dim, memory.packed_a);
  float* const packed_p = memory.packed_a + kForwardRows * kMaxHeadDim / Cells::kNumbers;
  const int64_t last_key = head.offset + i0 + rows - 1;
  for (int64_t j0 = first_keys(a, head.batch, i0); j0 <= last_key; j0 += kTile) {
    const ScoreTile tile = tile_at(a, head, i0, rows, j0, memory.tiles[0]);
    const Packed keys = pack_slice<Cells>(Form::transposed, keys_of(a, head, j0),
                                          memory.head_tiles[0], packed_scale<Cells>(a));
    const Packed values =
        pack_slice<Cells>(Form::plain, values_of(a, head, j0), memory.head_tiles[1]);
    score_tile<Cells>(a, head, q, keys, tile, memory.tiles[1]);
    for (int64_t i = 0; i < tile.rows; ++i) {
      float* row = tile.scores + i * tile.row_stride;
      const int64_t visible = visible_columns(tile, i), hidden = hidden_columns(tile, i);
      const float highest = row_maximum(row + hidden, visible - hidden, maximum[i]);
      if (highest > maximum[i]) {
        const float factor = exp(broadcast(maximum[i] - highest))[0];
        if (denominator[i] != 0) {
          denominator[i] *= factor;
          scale_row(out + i * a.out_row, a.head_dim, factor);
        }
        maximum[i] = highest;
      }
      denominator[i] += exponentiate_row(tile, i, zeros_until<Cells>(tile, i), maximum[i]);
      if (drops(a)) drop_probabilities(a, head, i0 + i, j0, row, visible);
    }
    add_tile_times<Cells>(tile, values, a.head_dim, {out, a.out_row, a.first_key || j0 > 0},
                          packed_p);
  }
  float* log_sum_exp = a.log_sum_exp + (head.batch * a.heads + head.head) * a.queries + i0;
  for (int64_t i = 0; i < rows; ++i) {
    scale_row(out + i * a.out_row, a.head_dim, 1.0f / denominator[i]);
    log_sum_exp[i] = maximum[i] + __builtin_logf(denominator[i]);
  }
}

template <class Cells>
inline void attention_forward_in(const Attention& a) {
  pack_tables(a);
  const int64_t task_rows = is_wide(a) ? kWideForwardRows : kForwardRows;
  const int64_t row_tiles = ceil_div(a.queries, task_rows);
  compute_tasks(a.batch * a.heads * row_tiles, [&](int64_t task, int thread) {
    // The longest rows come first, so that threads finish at about the same time.
    const int64_t i0 = (row_tiles - 1 - task / (a.batch * a.heads)) * task_rows;
    const int64_t batch = task % (a.batch * a.heads) / a.heads, head = task % a.heads;
    [[maybe_unused]] const ThreadTiles<Cells::kTiles> tiles;
    attend_rows<Cells>(a, relative_head(a, select_head(a, batch, head)), i0,
                       min(task_rows, a.queries - i0), thread_workspace(thread));
  });
}

// Whether products are in bf16. Tables of relative keys or queries rule it out, since their
// products read the tiles of scores askew.
inline bool computes_in_bf16(const Attention& a) {
  return a.precision == Precision::bf16 && !is_wide(a);
}

inline void attention_forward(const Attention& a) noexcept {
  const bool bf16 = computes_in_bf16(a);
  if (a.queries <= kFewQueries) {
    bf16 ? attend_few_queries<RoundedCells>(a) : attend_few_queries<Fp32Cells>(a);
  } else {
    bf16 ? attention_forward_in<Bf16Cells>(a) : attention_forward_in<Fp32Cells>(a);
  }
}

// A tile of keys packed for the backward pass.
struct PackedKeys {
  int64_t key;                                      // position of the first
  Packed keys_transposed, values_transposed, keys;  // both forms of keys have packed_scale
};

template <class Cells>
inline PackedKeys pack_keys(const Attention& a, const Head& head, int64_t j0,
                            const Workspace& memory) {
  const Slice keys = keys_of(a, head, j0), values = values_of(a, head, j0);
  const float scale = packed_scale<Cells>(a);
  return {j0, pack_slice<Cells>(Form::transposed, keys, memory.head_tiles[0], scale),
          pack_slice<Cells>(Form::transposed, values, memory.head_tiles[1]),
          pack_slice<Cells>(Form::plain, keys, memory.head_tiles[2], scale)};
}

// Which gradients a visit to a tile adds to.
enum class Wanted { all, keys, queries };

// The first tile of queries that see keys from j0 on. Queries may begin later than keys.
inline int64_t first_queries(const Attention& a, int64_t j0) {
  return max(0, j0 - (a.keys - a.queries)) / kTile * kTile;
}

// Adds the part of query tile i0 and a tile of keys to one head's dQ, or to its dK and dV, or to
// all. The first part that reaches a row overwrites it: in dQ the part of the first keys, in dK and
// dV the part of the first query head and the first queries that see them. Gradients of tables are
// always added to, and with first_key all gradients are.
template <class Cells>
inline void attention_tile_backward(const AttentionGradient& g, const RelativeHead& head,
                                    int64_t i0, const PackedKeys& packed, Wanted wanted,
                                    const Workspace& memory) {
  const Attention& a = g.forward;
  const int64_t j0 = packed.key;
  const ScoreTile p = tile_at(a, head, i0, min(kTile, a.queries - i0), j0, memory.tiles[0]);
  ScoreTile ds = p;
  ds.scores = memory.tiles[1] + (p.scores - memory.tiles[0]);
  const float* dout = g.dout + head.batch * a.out_batch + i0 * a.out_row + head.head * a.head_dim;
  const Slice q = queries_of(a, head, p);
  float* const packed_a = memory.packed_a;
  score_tile<Cells>(a, head, ready_rows<Cells>(q.first, q.stride, 1, p.rows, a.head_dim, packed_a),
                    packed.keys_transposed, p, memory.tiles[1]);
  // dP = dO V^T
  multiply_rows<Cells>(ds, ready_rows<Cells>(dout, a.out_row, 1, p.rows, a.head_dim, packed_a),
                       packed.values_transposed, a.head_dim);
  // P = exp(S - log_sum_exp), 0 where the mask is; dS = P (dropout dP - rowsum(dO O)), with the
  // part of the scale that is not packed
  const Vector scale = broadcast(score_scale<Cells>(a));
  const int64_t stat = (head.batch * a.heads + head.head) * a.queries + i0;
  for (int64_t i = 0; i < p.rows; ++i) {
    float* probability = p.scores + i * p.row_stride;
    float* row = ds.scores + i * p.row_stride;
    const int64_t visible = visible_columns(p, i);
    const Vector shift = broadcast(g.delta[stat + i]);
    // The products read whole panels, of rows in one case and of columns in another.
    const int64_t end = min(p.columns, zeros_until<Cells>(p, i) + Cells::kMR - 1);
    exponentiate_row(p, i, end, a.log_sum_exp[stat + i]);
    if (drops(a)) drop_probabilities(a, head, i0 + i, j0, row, visible);
    for_vectors(
        visible,
        [&](int64_t j) { store(row + j, load(probability + j) * (load(row + j) - shift) * scale); },
        [&](int64_t j, int64_t lanes) {
          const Vector difference = load_part(row + j, lanes, 0) - shift;
          store_part(row + j, load_part(probability + j, lanes, 0) * difference * scale, lanes);
        });
    for (int64_t j = visible; j < end; ++j) row[j] = 0;
    if (drops(a)) drop_probabilities(a, head, i0 + i, j0, probability, visible);
  }
  if (is_wide(a) && !is_far(head, ds)) clear_gap(ds);
  if (wanted != Wanted::keys) {
    // dQ += dS (scale K)
    float* dq = g.dq + (head.q - a.q) + i0 * a.q_row;
    add_tile_times<Cells>(ds, packed.keys, a.head_dim, {dq, a.q_row, a.first_key || j0 > 0},
                          packed_a);
    add_relative_to_dq(a, head, ds, dq);
  }
  if (wanted != Wanted::queries) {
    const int64_t kv = (head.k - a.k) + j0 * a.kv_row;
    const bool first_head = head.head % (a.heads / a.kv_heads) == 0;
    const bool accumulate = a.first_key || !(first_head && i0 == first_queries(a, j0));
    float* panels = memory.head_tiles[3];
    // dV += P^T dO
    const Packed dout_plain =
        pack_slice<Cells>(Form::plain, {dout, a.out_row, p.rows, a.head_dim}, panels);
    add_transposed_tile_times<Cells>(p, dout_plain, a.head_dim, {g.dv + kv, a.kv_row, accumulate},
                                     packed_a);
    // dK += dS^T (scale Q)
    const Packed queries = pack_slice<Cells>(Form::plain, q, panels, packed_scale<Cells>(a));
    add_transposed_tile_times<Cells>(ds, queries, a.head_dim, {g.dk + kv, a.kv_row, accumulate},
                                     packed_a);
    add_relative_to_dk<Cells>(a, head, ds, queries, packed.keys, g.dk + kv);
  }
}

// Visits all tiles of queries that see the keys from j0 on of one kv head.
template <class Cells>
inline void attention_keys_backward(const AttentionGradient& g, int64_t batch, int64_t kv_head,
                                    int64_t j0, Wanted wanted, const Workspace& memory) {
  const Attention& a = g.forward;
  const int64_t group = a.heads / a.kv_heads;
  const PackedKeys packed = pack_keys<Cells>(a, select_head(a, batch, kv_head * group), j0, memory);
  for (int64_t h = kv_head * group; h < (kv_head + 1) * group; ++h) {
    for (int64_t i0 = first_queries(a, j0); i0 < a.queries && first_key(a, batch, i0) < j0 + kTile;
         i0 += kTile) {
      attention_tile_backward<Cells>(g, relative_head(g, select_head(a, batch, h)), i0, packed,
                                     wanted, memory);
    }
  }
}

// dQ, dK and dV = 0
inline void clear_heads(const AttentionGradient& g) {
  const Attention& a = g.forward;
  compute_for(a.batch * a.keys, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      const int64_t batch = n / a.keys, i = n % a.keys;
      const int64_t kv = batch * a.kv_batch + i * a.kv_row;
      clear_row(g.dk + kv, a.kv_heads * a.head_dim);
      clear_row(g.dv + kv, a.kv_heads * a.head_dim);
      if (i < a.queries) clear_row(g.dq + batch * a.q_batch + i * a.q_row, a.heads * a.head_dim);
    }
  });
}

template <class Cells>
inline void attention_backward_in(const AttentionGradient& g) {
  const Attention& a = g.forward;
  pack_tables(a);
  if (a.first_key) clear_heads(g);
  compute_for(a.batch * a.queries, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      const int64_t batch = n / a.queries, i = n % a.queries;
      for (int64_t h = 0; h < a.heads; ++h) {
        const int64_t row = batch * a.out_batch + i * a.out_row + h * a.head_dim;
        g.delta[(batch * a.heads + h) * a.queries + i] = dot(a.head_dim, g.dout + row, a.out + row);
      }
    }
  });
  const int64_t pairs = a.batch * a.kv_heads;
  const int64_t threads = max_threads();
  // A task that owns a kv head and all query heads that read it computes each tile once, with five
  // products. Where these tasks are too few for the threads, tiles of keys and then tiles of
  // queries are the tasks, and seven products the price. The sums are the same in either way. The
  // gradient of a table takes from all tiles of a sequence, so that it has one task only.
  const bool tables = g.relative.dkeys || g.relative.dqueries || g.relative.dbias;
  if (tables || 5 * ceil_div(pairs, threads) * threads <= 7 * pairs) {
    compute_tasks(pairs, [&](int64_t task, int thread) {
      [[maybe_unused]] const ThreadTiles<Cells::kTiles> tiles;
      clear_gradients(g, task / a.kv_heads, task % a.kv_heads);
      for (int64_t j0 = 0; j0 < a.keys; j0 += kTile) {
        attention_keys_backward<Cells>(g, task / a.kv_heads, task % a.kv_heads, j0, Wanted::all,
                                       thread_workspace(thread));
      }
    });
    return;
  }
  const int64_t key_tiles = ceil_div(a.keys, kTile), query_tiles = ceil_div(a.queries, kTile);
  compute_tasks(pairs * key_tiles, [&](int64_t task, int thread) {
    [[maybe_unused]] const ThreadTiles<Cells::kTiles> tiles;
    // The first keys are seen by the most queries, so they come first.
    const int64_t pair = task % pairs;
    attention_keys_backward<Cells>(g, pair / a.kv_heads, pair % a.kv_heads, task / pairs * kTile,
                                   Wanted::keys, thread_workspace(thread));
  });
  compute_tasks(a.batch * a.heads * query_tiles, [&](int64_t task, int thread) {
    [[maybe_unused]] const ThreadTiles<Cells::kTiles> tiles;
    const int64_t i0 = (query_tiles - 1 - task / (a.batch * a.heads)) * kTile;
    const RelativeHead head =
        relative_head(g, select_head(a, task % (a.batch * a.heads) / a.heads, task % a.heads));
    const Workspace& memory = thread_workspace(thread);
    const int64_t last_key = head.offset + min(i0 + kTile, a.queries) - 1;
    for (int64_t j0 = first_keys(a, head.batch, i0); j0 <= last_key; j0 += kTile) {
      attention_tile_backward<Cells>(g, head, i0, pack_keys<Cells>(a, head, j0, memory),
                                     Wanted::queries, memory);
    }
  });
}

inline void attention_backward(const AttentionGradient& g) noexcept {
  computes_in_bf16(g.forward) ? attention_backward_in<Bf16Cells>(g)
                              : attention_backward_in<Fp32Cells>(g);
}

}  // namespace
}  // namespace cria::CRIA_ISA
