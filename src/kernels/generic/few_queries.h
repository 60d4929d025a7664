// Attention of a few queries, as of a token that comes after a cache: one row of scores at a time,
// straight from keys, values and tables, of which to pack a tile would take longer than to use it.
#pragma once

#include "cria/base/parallel.h"
#include "cria/kernels/kernels.h"
#include "kernels/generic/cells.h"
#include "kernels/generic/rows.h"
#include "kernels/generic/tile.h"
#include "kernels/workspace.h"

namespace cria::CRIA_ISA {
namespace {

// More queries use a packed tile often enough to be worth the packing.
constexpr int64_t kFewQueries = 4;

// Keys whose scores are computed before the first of their values is read.
constexpr int64_t kRowKeys = 2048;
static_assert(kRowKeys <= kTileFloats);

// row[j] = scale (q_i . (k_j + keys[o]) + k_j . queries[o]) + bias[o], o = j - i: the scores of
// query i and of `count` keys from j0 on.
template <class Cells>
inline void score_row(const Attention& a, const Head& head, int64_t i, int64_t j0, int64_t count,
                      float* row) {
  const RelativeScores& t = a.relative;
  const int64_t kv_head = head.head / (a.heads / a.kv_heads);
  const int64_t first_row = t.rows - 1 - (head.offset + i);  // of the tables: that of key 0
  const float* q = head.q + i * a.q_row;
  for (int64_t j = 0; j < count; j += kWidth) {
    const int64_t lanes = min(kWidth, count - j);
    Vector sums[kWidth];
    for (int64_t lane = 0; lane < kWidth; ++lane) {
      const int64_t key = j0 + j + min(lane, lanes - 1), table_row = first_row + key;
      const float* k = head.k + key * a.kv_row;
      const float* keys =
          t.keys ? t.keys + (table_row * a.kv_heads + kv_head) * a.head_dim : nullptr;
      const float* queries =
          t.queries ? t.queries + (table_row * a.heads + head.head) * a.head_dim : nullptr;
      Vector total{};
      const auto step = [&](int64_t d, int64_t numbers) {
        Vector factor = Cells::row(k + d, numbers);
        if (queries) total += factor * load_lanes(queries + d, numbers);
        if (keys) factor += load_lanes(keys + d, numbers);
        total += Cells::row(q + d, numbers) * factor;
      };
      for_vectors(
          a.head_dim, [&](int64_t d) { step(d, kWidth); }, step);
      sums[lane] = total;
    }
    Vector scores = sum_each(sums) * a.scale;
    if (t.bias) scores += load_lanes(t.bias + head.head * t.rows + first_row + j0 + j, lanes);
    store_lanes(row + j, scores, lanes);
  }
}

// out[D] = factor out + the sum of row[j] v_j; v: [count, D], row: [count]. Four sums, so that an
// addition need not wait for the one before.
template <class Cells>
inline void add_values(const float* row, const Slice& v, float factor, float* out) {
  const auto step = [&](int64_t d, int64_t numbers) {
    const auto product = [&](int64_t j) {
      return row[j] * Cells::row(v.first + j * v.stride + d, numbers);
    };
    Vector sums[4] = {load_lanes(out + d, numbers) * factor};
    int64_t j = 0;
    for (; j + 4 <= v.rows; j += 4) {
      CRIA_UNROLL
      for (int64_t s = 0; s < 4; ++s) sums[s] += product(j + s);
    }
    for (; j < v.rows; ++j) sums[0] += product(j);
    store_lanes(out + d, (sums[0] + sums[1]) + (sums[2] + sums[3]), numbers);
  };
  for_vectors(
      v.columns, [&](int64_t d) { step(d, kWidth); }, step);
}

// out[i] and log_sum_exp[i] of one head, by the online softmax as in attend_rows; row: [kRowKeys].
template <class Cells>
inline void attend_query(const Attention& a, const Head& head, int64_t i, float* row) {
  float* out = a.out + head.batch * a.out_batch + i * a.out_row + head.head * a.head_dim;
  clear_row(out, a.head_dim);
  const int64_t end = head.offset + i + 1;
  float maximum = kLowestScore, denominator = 0;
  for (int64_t j0 = first_key(a, head.batch, i); j0 < end; j0 += kRowKeys) {
    const int64_t count = min(kRowKeys, end - j0);
    score_row<Cells>(a, head, i, j0, count, row);
    const float highest = row_maximum(row, count, maximum);
    const float factor = exp(broadcast(maximum - highest))[0];
    maximum = highest;
    denominator = denominator * factor + exponentiate(row, count, count, maximum);
    if (drops(a)) drop_probabilities(a, head, i, j0, row, count);
    if (!Cells::kAsStored) {
      for (int64_t j = 0; j < count; j += kWidth) {
        const int64_t lanes = min(kWidth, count - j);
        store_lanes(row + j, Cells::row(row + j, lanes), lanes);
      }
    }
    add_values<Cells>(row, {head.v + j0 * a.kv_row, a.kv_row, count, a.head_dim}, factor, out);
  }
  scale_row(out, a.head_dim, 1.0f / denominator);
  a.log_sum_exp[(head.batch * a.heads + head.head) * a.queries + i] =
      maximum + __builtin_logf(denominator);
}

template <class Cells>
inline void attend_few_queries(const Attention& a) {
  const int64_t grain = max(1, kGrain / (a.keys * a.head_dim));
  compute_for(a.batch * a.heads * a.queries, grain, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t n = begin; n < end; ++n) {
      const int64_t pair = n / a.queries;
      attend_query<Cells>(a, select_head(a, pair / a.heads, pair % a.heads), n % a.queries,
                          thread_workspace(thread).tiles[0]);
    }
  });
}

}  // namespace
}  // namespace cria::CRIA_ISA
