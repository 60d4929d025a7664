// Causal attention over tiles of scores: memory is O(T), see Attention in kernels.h.
#pragma once

#include "cria/base/parallel.h"
#include "cria/kernels/kernels.h"
#include "kernels/generic/gemm.h"
#include "kernels/generic/rows.h"
#include "kernels/generic/vector.h"
#include "kernels/workspace.h"

namespace cria::CRIA_ISA {
namespace {

constexpr int64_t kTileRows = 64;     // queries of a tile
constexpr int64_t kTileColumns = 64;  // keys of a tile
static_assert(kTileRows * kTileColumns <= kTileFloats);

inline void gemm_serial(const Gemm& g, const Workspace& memory) noexcept {
  multiply<Fp32Cells>(g, {0, g.m}, {0, g.n}, memory);
}

// One (sequence, query head): its matrices, their row strides, and where they stand in the batch.
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

// tile[rows, columns] = scale * Q K^T + hook for queries i0.. and keys j0..
inline ScoreTile score_tile(const Attention& a, const Head& head, int64_t i0, int64_t j0,
                            float* tile, const Workspace& memory) {
  const int64_t rows = min(kTileRows, a.queries - i0), columns = min(kTileColumns, a.keys - j0);
  gemm_serial({.m = rows,
               .n = columns,
               .k = a.head_dim,
               .a = head.q + i0 * a.q_row,
               .a_row = a.q_row,
               .a_column = 1,
               .b = head.k + j0 * a.kv_row,
               .b_row = 1,
               .b_column = a.kv_row,
               .c = tile,
               .c_row = kTileColumns,
               .addend = nullptr,
               .addend_row = 0},
              memory);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) tile[i * kTileColumns + j] *= a.scale;
  }
  const ScoreTile view = {tile,       rows,      columns,          kTileColumns,
                          head.batch, head.head, head.offset + i0, j0};
  if (a.hook.forward) a.hook.forward(a.hook.context, view);
  return view;
}

// How many of a tile's columns its row i may see.
inline int64_t visible_columns(const ScoreTile& tile, int64_t i) {
  return max(0, min(tile.columns, tile.query + i - tile.key + 1));
}

// out[i] and log_sum_exp[i] for the queries i0.. of one head, by the online softmax: with the
// running maximum m and denominator l, a new tile's scores s give
//   m' = max(m, max s),  l' = l exp(m - m') + sum exp(s - m'),  out' = out exp(m - m') + P V
inline void attend_rows(const Attention& a, const Head& head, int64_t i0, const Workspace& memory) {
  const int64_t rows = min(kTileRows, a.queries - i0);
  float* out = a.out + head.batch * a.out_batch + i0 * a.out_row + head.head * a.head_dim;
  float maximum[kTileRows], denominator[kTileRows];
  constexpr float kLowest = -3.0e38f;
  for (int64_t i = 0; i < rows; ++i) {
    maximum[i] = kLowest;
    denominator[i] = 0;
    for (int64_t d = 0; d < a.head_dim; ++d) out[i * a.out_row + d] = 0;
  }
  const int64_t last_key = head.offset + i0 + rows - 1;
  for (int64_t j0 = 0; j0 <= last_key; j0 += kTileColumns) {
    const ScoreTile tile = score_tile(a, head, i0, j0, memory.tiles[0], memory);
    for (int64_t i = 0; i < rows; ++i) {
      float* row = tile.scores + i * tile.row_stride;
      const int64_t visible = visible_columns(tile, i);
      const float highest = row_maximum(row, visible, maximum[i]);
      if (highest > maximum[i]) {
        const float factor = denominator[i] == 0 ? 0.0f : exp(broadcast(maximum[i] - highest))[0];
        denominator[i] *= factor;
        scale_row(out + i * a.out_row, a.head_dim, factor);
        maximum[i] = highest;
      }
      denominator[i] += exponentiate(row, visible, tile.columns, maximum[i]);
    }
    gemm_serial({.m = rows,
                 .n = a.head_dim,
                 .k = tile.columns,
                 .a = tile.scores,
                 .a_row = tile.row_stride,
                 .a_column = 1,
                 .b = head.v + j0 * a.kv_row,
                 .b_row = a.kv_row,
                 .b_column = 1,
                 .c = out,
                 .c_row = a.out_row,
                 .addend = out,
                 .addend_row = a.out_row},
                memory);
  }
  float* log_sum_exp = a.log_sum_exp + (head.batch * a.heads + head.head) * a.queries + i0;
  for (int64_t i = 0; i < rows; ++i) {
    scale_row(out + i * a.out_row, a.head_dim, 1.0f / denominator[i]);
    log_sum_exp[i] = maximum[i] + __builtin_logf(denominator[i]);
  }
}

inline void attention_forward(const Attention& a) noexcept {
  const int64_t row_tiles = ceil_div(a.queries, kTileRows);
  parallel_tasks(a.batch * a.heads * row_tiles, [&](int64_t task, int thread) {
    // The longest rows first: what is left for the end is short.
    const int64_t i0 = (row_tiles - 1 - task / (a.batch * a.heads)) * kTileRows;
    const int64_t batch = task % (a.batch * a.heads) / a.heads, head = task % a.heads;
    attend_rows(a, select_head(a, batch, head), i0, thread_workspace(thread));
  });
}

// Adds the part of query tile i0 and key tile j0 to dQ, dK and dV of one head. The first part that
// reaches a row of dQ (dK, dV) overwrites it.
inline void attention_tile_backward(const AttentionGradient& g, const Head& head, int64_t i0,
                                    int64_t j0, bool first_for_keys, const Workspace& memory) {
  const Attention& a = g.forward;
  const ScoreTile p = score_tile(a, head, i0, j0, memory.tiles[0], memory);
  const int64_t stat = (head.batch * a.heads + head.head) * a.queries + i0;
  for (int64_t i = 0; i < p.rows; ++i) {
    exponentiate(p.scores + i * p.row_stride, visible_columns(p, i), p.columns,
                 a.log_sum_exp[stat + i]);
  }
  const int64_t out = head.batch * a.out_batch + i0 * a.out_row + head.head * a.head_dim;
  const int64_t kv = (head.k - a.k) + j0 * a.kv_row;
  float* dk = g.dk + kv;
  float* dv = g.dv + kv;
  // dV += P^T dO
  gemm_serial({.m = p.columns,
               .n = a.head_dim,
               .k = p.rows,
               .a = p.scores,
               .a_row = 1,
               .a_column = p.row_stride,
               .b = g.dout + out,
               .b_row = a.out_row,
               .b_column = 1,
               .c = dv,
               .c_row = a.kv_row,
               .addend = first_for_keys ? nullptr : dv,
               .addend_row = a.kv_row},
              memory);
  // dP = dO V^T
  ScoreTile ds = p;
  ds.scores = memory.tiles[1];
  gemm_serial({.m = p.rows,
               .n = p.columns,
               .k = a.head_dim,
               .a = g.dout + out,
               .a_row = a.out_row,
               .a_column = 1,
               .b = head.v + j0 * a.kv_row,
               .b_row = 1,
               .b_column = a.kv_row,
               .c = ds.scores,
               .c_row = ds.row_stride,
               .addend = nullptr,
               .addend_row = 0},
              memory);
  // dS = P (dP - rowsum(dO O)); P is zero where the mask is.
  for (int64_t i = 0; i < p.rows; ++i) {
    const float shift = g.dout_dot_out[stat + i];
    float* row = ds.scores + i * ds.row_stride;
    const float* probability = p.scores + i * p.row_stride;
    for (int64_t j = 0; j < p.columns; ++j) row[j] = probability[j] * (row[j] - shift);
  }
  if (a.hook.backward) a.hook.backward(a.hook.context, ds);
  for (int64_t i = 0; i < p.rows; ++i) scale_row(ds.scores + i * ds.row_stride, p.columns, a.scale);
  // dQ += dS K
  float* dq = g.dq + (head.q - a.q) + i0 * a.q_row;
  gemm_serial({.m = p.rows,
               .n = a.head_dim,
               .k = p.columns,
               .a = ds.scores,
               .a_row = ds.row_stride,
               .a_column = 1,
               .b = head.k + j0 * a.kv_row,
               .b_row = a.kv_row,
               .b_column = 1,
               .c = dq,
               .c_row = a.q_row,
               .addend = j0 == 0 ? nullptr : dq,
               .addend_row = a.q_row},
              memory);
  // dK += dS^T Q
  gemm_serial({.m = p.columns,
               .n = a.head_dim,
               .k = p.rows,
               .a = ds.scores,
               .a_row = 1,
               .a_column = ds.row_stride,
               .b = head.q + i0 * a.q_row,
               .b_row = a.q_row,
               .b_column = 1,
               .c = dk,
               .c_row = a.kv_row,
               .addend = first_for_keys ? nullptr : dk,
               .addend_row = a.kv_row},
              memory);
}

inline void attention_backward(const AttentionGradient& g) noexcept {
  const Attention& a = g.forward;
  const int64_t group = a.heads / a.kv_heads;
  // One task owns a kv head and all query heads that read it, so dK and dV have one writer.
  parallel_tasks(a.batch * a.kv_heads, [&](int64_t task, int thread) {
    const int64_t batch = task / a.kv_heads, kv_head = task % a.kv_heads;
    const Workspace& memory = thread_workspace(thread);
    for (int64_t h = kv_head * group; h < (kv_head + 1) * group; ++h) {
      for (int64_t i = 0; i < a.queries; ++i) {
        const int64_t row = batch * a.out_batch + i * a.out_row + h * a.head_dim;
        float dot = 0;
        for (int64_t d = 0; d < a.head_dim; ++d) dot += g.dout[row + d] * a.out[row + d];
        g.dout_dot_out[(batch * a.heads + h) * a.queries + i] = dot;
      }
    }
    for (int64_t j0 = 0; j0 < a.keys; j0 += kTileColumns) {
      bool first_for_keys = true;
      for (int64_t h = kv_head * group; h < (kv_head + 1) * group; ++h) {
        const Head head = select_head(a, batch, h);
        // Query tiles before j0 see none of these keys (kTileRows == kTileColumns).
        for (int64_t i0 = j0; i0 < a.queries; i0 += kTileRows) {
          attention_tile_backward(g, head, i0, j0, first_for_keys, memory);
          first_for_keys = false;
        }
      }
    }
  });
}

static_assert(kTileRows == kTileColumns);

}  // namespace
}  // namespace cria::CRIA_ISA
