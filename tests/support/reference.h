// Every kernel once more, as its formula: naive loops in double precision that know no tiles,
// blocks or vectors, each result with the error bound of a fp32 evaluation (bounded.h).
// Arguments are the kernels' own; results come back contiguous and nothing is written.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>
#include <vector>

#include "cria/kernels/kernels.h"
#include "support/bounded.h"

namespace cria::reference {

// Over `count` elements, each array with its own stride.
inline Bounded dot(int64_t count, const float* a, int64_t a_stride, const float* b,
                   int64_t b_stride) {
  Sum sum;
  for (int64_t i = 0; i < count; ++i) sum.add(Bounded(a[i * a_stride]) * Bounded(b[i * b_stride]));
  return sum.total();
}

// Rounds to the nearest bf16, ties to even. It must not be given NaN, which would not stay NaN.
inline float round_to_bf16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x), lowest_kept = bits >> 16 & 1;
  return std::bit_cast<float>((bits + 0x7fff + lowest_kept) & 0xffff0000);
}

// Negative x take exp(x) / (1 + exp(x)), which does not overflow.
inline Bounded sigmoid(const Bounded& x) {
  const Bounded one = 1.0;
  return x.value < 0 ? exp(x) / (one + exp(x)) : one / (one + exp(-x));
}

// gate_up [N,2F] -> [N,F]
inline BoundedValues silu_mul(int64_t rows, int64_t columns, const BoundedValues& gate_up) {
  BoundedValues out;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t c = 0; c < columns; ++c) {
      const Bounded gate = gate_up[row * 2 * columns + c];
      const Bounded up = gate_up[row * 2 * columns + columns + c];
      out.push_back(gate * sigmoid(gate) * up);
    }
  }
  return out;
}

// dout [N,F], gate_up [N,2F] -> the gradient of gate_up [N,2F]
inline BoundedValues silu_mul_backward(int64_t rows, int64_t columns, const BoundedValues& dout,
                                       const float* gate_up) {
  BoundedValues gradient;
  for (int64_t row = 0; row < rows; ++row) {
    BoundedValues dup;
    for (int64_t c = 0; c < columns; ++c) {
      const Bounded gate = gate_up[row * 2 * columns + c];
      const Bounded up = gate_up[row * 2 * columns + columns + c];
      const Bounded d = dout[row * columns + c], s = sigmoid(gate), one = 1.0;
      gradient.push_back(d * up * s * (one + gate * (one - s)));
      dup.push_back(d * gate * s);
    }
    gradient.insert(gradient.end(), dup.begin(), dup.end());
  }
  return gradient;
}

struct GemmResult {
  BoundedValues c;      // [M,N]; with silu_mul_backward what C would be, had it not been used up
  BoundedValues other;  // see Gemm::Epilogue; empty without one
};

// Addend and bias are terms of the sum like the products: any may be its start.
//
// bf16 has the same bound as fp32, once the factors are rounded. Their product has 16 significant
// bits, so it is exact in fp32, and each of the K products goes into the sum by at most one
// rounding. That also holds where an instruction takes pairs: to add two products to a sum are two
// roundings at most, in whichever order (one, where it is fused further). Such instructions take
// numbers below the smallest normal for zero; that is the kSmallestNormal of rounded().
inline GemmResult gemm(const Gemm& g) {
  const auto factor = [&](float x) {
    return Bounded(g.precision == Precision::bf16 ? round_to_bf16(x) : x);
  };
  GemmResult result;
  for (int64_t i = 0; i < g.m; ++i) {
    for (int64_t j = 0; j < g.n; ++j) {
      Sum sum;
      for (int64_t k = 0; k < g.k; ++k) {
        sum.add(factor(g.a[i * g.a_row + k * g.a_column]) *
                factor(g.b[k * g.b_row + j * g.b_column]));
      }
      if (g.addend) sum.add(g.addend[i * g.addend_row + j]);
      if (g.bias) sum.add(g.bias[j]);
      result.c.push_back(sum.total());
    }
  }
  if (g.epilogue == Gemm::Epilogue::silu_mul) {
    result.other = silu_mul(g.m, g.n / 2, result.c);
  } else if (g.epilogue == Gemm::Epilogue::silu_mul_backward) {
    result.other = silu_mul_backward(g.m, g.n, result.c, g.other);
  }
  return result;
}

// The rows of relative tables that a pair meets: for query head h and offset o = key - query.
struct RelativeRows {
  const float* keys = nullptr;     // [D]
  const float* queries = nullptr;  // [D]
  float bias = 0;
};

inline RelativeRows relative_rows(const Attention& a, int64_t head, int64_t offset) {
  const RelativeScores& t = a.relative;
  const int64_t row = t.rows - 1 + offset, kv_head = head / (a.heads / a.kv_heads);
  RelativeRows rows;
  if (t.keys) rows.keys = t.keys + (row * a.kv_heads + kv_head) * a.head_dim;
  if (t.queries) rows.queries = t.queries + (row * a.heads + head) * a.head_dim;
  if (t.bias) rows.bias = t.bias[head * t.rows + row];
  return rows;
}

// The first key that a query of a sequence sees.
inline int64_t first_key(const Attention& a, int64_t batch, int64_t query) {
  return a.first_key ? a.first_key[batch * a.queries + query] : 0;
}

// Whether the products' factors are rounded to bf16, see Attention::precision.
inline bool in_bf16(const Attention& a) {
  return a.precision == Precision::bf16 && !a.relative.keys && !a.relative.queries;
}

// A factor that is given, and one that was computed: half a unit in the last of bf16's eight
// places.
inline Bounded factor_of(const Attention& a, float x) {
  return in_bf16(a) ? round_to_bf16(x) : x;
}
inline Bounded factor_of(const Attention& a, Bounded x) {
  if (in_bf16(a)) x.error += 0x1.0p-8 * (std::abs(x.value) + x.error) + kSmallestNormal;
  return x;
}

inline Bounded dot_of_factors(const Attention& a, const float* x, const float* y) {
  Sum sum;
  for (int64_t d = 0; d < a.head_dim; ++d) sum.add(factor_of(a, x[d]) * factor_of(a, y[d]));
  return sum.total();
}

struct AttentionResult {
  BoundedValues scores;       // [B, H, queries, keys]; 0 where masked
  BoundedValues log_sum_exp;  // [B, H, queries]
  BoundedValues out;          // [B, queries, H, D]
};

// What dropout multiplies the probability of query `row` (of all B H queries) and key j by.
inline Bounded kept(const Attention& a, int64_t row, int64_t j) {
  float factor = 1.0f;
  kernels().dropout({.count = 1,
                     .first = row * a.keys + j,
                     .x = &factor,
                     .addend = nullptr,
                     .out = &factor,
                     .mask = a.dropout});
  return factor;
}

inline AttentionResult attention_forward(const Attention& a) {
  AttentionResult result;
  result.scores.resize(a.batch * a.heads * a.queries * a.keys);
  result.log_sum_exp.resize(a.batch * a.heads * a.queries);
  result.out.resize(a.batch * a.queries * a.heads * a.head_dim);
  for (int64_t b = 0; b < a.batch; ++b) {
    for (int64_t h = 0; h < a.heads; ++h) {
      const int64_t shared = b * a.kv_batch + h / (a.heads / a.kv_heads) * a.head_dim;
      for (int64_t i = 0; i < a.queries; ++i) {
        const int64_t row = (b * a.heads + h) * a.queries + i;
        const int64_t position = a.keys - a.queries + i, visible = position + 1;
        const int64_t first = first_key(a, b, i);
        const float* q = a.q + b * a.q_batch + i * a.q_row + h * a.head_dim;

        BoundedValues scores(visible), factors(visible);
        for (int64_t j = first; j < visible; ++j) factors[j] = kept(a, row, j);
        double maximum = -std::numeric_limits<double>::infinity();
        for (int64_t j = first; j < visible; ++j) {
          const float* k = a.k + shared + j * a.kv_row;
          const RelativeRows relative = relative_rows(a, h, j - position);
          Bounded score = dot_of_factors(a, q, k) * Bounded(a.scale);
          if (relative.keys) {
            score = score + dot(a.head_dim, q, 1, relative.keys, 1) * Bounded(a.scale);
          }
          if (relative.queries) {
            score = score + dot(a.head_dim, k, 1, relative.queries, 1) * Bounded(a.scale);
          }
          if (a.relative.bias) score = score + Bounded(relative.bias);
          scores[j] = result.scores[row * a.keys + j] = score;
          maximum = std::max(maximum, score.value);
        }

        // An online softmax rescales what it has by another exp whenever the maximum grows: at
        // most once for each key.
        const double rescaling = static_cast<double>(visible) * (kFunctionRounding + 2 * kEpsilon);
        Sum denominator;
        for (int64_t j = first; j < visible; ++j) {
          Bounded& weight = scores[j];
          weight = exp(weight - Bounded(maximum));
          weight.error += rescaling * weight.value;
          denominator.add(weight);
        }
        result.log_sum_exp[row] = Bounded(maximum) + log(denominator.total());

        for (int64_t d = 0; d < a.head_dim; ++d) {
          Sum numerator;
          for (int64_t j = first; j < visible; ++j) {
            numerator.add(factor_of(a, scores[j] * factors[j]) *
                          factor_of(a, a.v[shared + j * a.kv_row + d]));
          }
          result.out[((b * a.queries + i) * a.heads + h) * a.head_dim + d] =
              numerator.total() / denominator.total();
        }
      }
    }
  }
  return result;
}

struct AttentionGradients {
  BoundedValues dq;        // [B, queries, H, D]
  BoundedValues dk, dv;    // [B, keys, K, D]
  BoundedValues dkeys;     // [B, rows, K, D]; all three empty without the table
  BoundedValues dqueries;  // [B, rows, H, D]
  BoundedValues dbias;     // [B, H, rows]
};

inline AttentionGradients attention_backward(const AttentionGradient& gradient) {
  const Attention& a = gradient.forward;
  const RelativeScores& tables = a.relative;
  const int64_t group = a.heads / a.kv_heads, dim = a.head_dim, offset = a.keys - a.queries;
  const AttentionResult forward = attention_forward(a);
  std::vector<Sum> dq(a.batch * a.queries * a.heads * dim);
  std::vector<Sum> dk(a.batch * a.keys * a.kv_heads * dim), dv(dk.size());
  std::vector<Sum> dkeys(tables.keys ? a.batch * tables.rows * a.kv_heads * dim : 0);
  std::vector<Sum> dqueries(tables.queries ? a.batch * tables.rows * a.heads * dim : 0);
  std::vector<Sum> dbias(tables.bias ? a.batch * a.heads * tables.rows : 0);

  for (int64_t b = 0; b < a.batch; ++b) {
    for (int64_t h = 0; h < a.heads; ++h) {
      for (int64_t i = 0; i < a.queries; ++i) {
        const int64_t row = (b * a.heads + h) * a.queries + i;
        const int64_t query = (b * a.queries + i) * a.heads + h;
        const float* q = a.q + b * a.q_batch + i * a.q_row + h * dim;
        const float* dout = gradient.dout + b * a.out_batch + i * a.out_row + h * dim;
        Sum delta;
        for (int64_t d = 0; d < dim; ++d) {
          delta.add(Bounded(dout[d]) * forward.out[query * dim + d]);
        }
        for (int64_t j = first_key(a, b, i); j <= offset + i; ++j) {
          const int64_t key = (b * a.keys + j) * a.kv_heads + h / group;
          const int64_t shared = b * a.kv_batch + j * a.kv_row + h / group * dim;
          const Bounded probability =
              exp(forward.scores[row * a.keys + j] - forward.log_sum_exp[row]);
          const Bounded factor = kept(a, row, j);
          const Bounded dprobability = dot_of_factors(a, dout, a.v + shared) * factor;
          const Bounded dscore = probability * (dprobability - delta.total());
          const Bounded scaled = factor_of(a, dscore * Bounded(a.scale));
          const Bounded weight = factor_of(a, probability * factor);
          const RelativeRows relative = relative_rows(a, h, j - offset - i);
          const int64_t row_of = tables.rows - 1 + j - offset - i, t = b * tables.rows + row_of;
          if (tables.bias) dbias[(b * a.heads + h) * tables.rows + row_of].add(dscore);
          for (int64_t d = 0; d < dim; ++d) {
            const Bounded q_d = factor_of(a, q[d]), k_d = factor_of(a, a.k[shared + d]);
            dq[query * dim + d].add(scaled * k_d);
            dk[key * dim + d].add(scaled * q_d);
            dv[key * dim + d].add(weight * factor_of(a, dout[d]));
            if (relative.keys) {
              dq[query * dim + d].add(scaled * Bounded(relative.keys[d]));
              dkeys[(t * a.kv_heads + h / group) * dim + d].add(scaled * q_d);
            }
            if (relative.queries) {
              dk[key * dim + d].add(scaled * Bounded(relative.queries[d]));
              dqueries[(t * a.heads + h) * dim + d].add(scaled * k_d);
            }
          }
        }
      }
    }
  }
  const auto totals = [](const std::vector<Sum>& sums) {
    BoundedValues values;
    for (const Sum& sum : sums) values.push_back(sum.total());
    return values;
  };
  return {totals(dq), totals(dk), totals(dv), totals(dkeys), totals(dqueries), totals(dbias)};
}

// x[B, T, heads, D] after the rotation.
inline BoundedValues rotary(const Rotary& r) {
  BoundedValues rotated;
  const int64_t half = r.head_dim / 2;
  for (int64_t b = 0; b < r.batch; ++b) {
    for (int64_t t = 0; t < r.time; ++t) {
      for (int64_t h = 0; h < r.heads; ++h) {
        const float* x = r.x + b * r.batch_stride + t * r.row_stride + h * r.head_dim;
        for (int64_t d = 0; d < r.head_dim; ++d) {
          const int64_t i = d % half;
          const Bounded first = x[i], second = x[i + half], cos = r.cos[t * half + i];
          const Bounded sin = r.inverse ? -r.sin[t * half + i] : r.sin[t * half + i];
          rotated.push_back(d < half ? first * cos - second * sin : first * sin + second * cos);
        }
      }
    }
  }
  return rotated;
}

struct RmsNormResult {
  BoundedValues y;     // [N,C]
  BoundedValues rstd;  // [N]
};

inline RmsNormResult rms_norm_forward(const RmsNormForward& n) {
  RmsNormResult result;
  for (int64_t row = 0; row < n.rows; ++row) {
    const float* x = n.x + row * n.columns;
    const Bounded mean = dot(n.columns, x, 1, x, 1) / Bounded(static_cast<double>(n.columns));
    const Bounded r = Bounded(1.0) / sqrt(mean + Bounded(n.eps));
    result.rstd.push_back(r);
    for (int64_t c = 0; c < n.columns; ++c) {
      result.y.push_back(Bounded(n.weight[c]) * Bounded(x[c]) * r);
    }
  }
  return result;
}

struct RmsNormGradients {
  BoundedValues dx;       // [N,C]
  BoundedValues dweight;  // [C]
};

inline RmsNormGradients rms_norm_backward(const RmsNormBackward& n) {
  RmsNormGradients result;
  std::vector<Sum> dweight(n.columns);
  for (int64_t c = 0; c < n.columns; ++c) dweight[c].add(n.dweight[c]);
  for (int64_t row = 0; row < n.rows; ++row) {
    const int64_t begin = row * n.columns;
    const Bounded r = n.rstd[row];
    const auto normalized = [&](int64_t c) { return Bounded(n.x[begin + c]) * r; };
    const auto scaled = [&](int64_t c) { return Bounded(n.weight[c]) * Bounded(n.dy[begin + c]); };
    Sum sum;
    for (int64_t c = 0; c < n.columns; ++c) sum.add(scaled(c) * normalized(c));
    const Bounded mean = sum.total() / Bounded(static_cast<double>(n.columns));
    for (int64_t c = 0; c < n.columns; ++c) {
      const Bounded dx = r * (scaled(c) - normalized(c) * mean);
      result.dx.push_back(n.addend ? dx + Bounded(n.addend[begin + c]) : dx);
      dweight[c].add(Bounded(n.dy[begin + c]) * normalized(c));
    }
  }
  for (const Sum& sum : dweight) result.dweight.push_back(sum.total());
  return result;
}

// sum[C] + the sum of x[N,C] over its rows
inline BoundedValues add_rows_sum(int64_t rows, int64_t columns, const float* x, const float* sum) {
  BoundedValues sums;
  for (int64_t c = 0; c < columns; ++c) {
    Sum total;
    total.add(sum[c]);
    for (int64_t row = 0; row < rows; ++row) total.add(x[row * columns + c]);
    sums.push_back(total.total());
  }
  return sums;
}

// [N,C]. One multiplication, so its fp32 bits are given.
inline std::vector<float> embedding_gather(const EmbeddingGather& g) {
  std::vector<float> out;
  for (int64_t n = 0; n < g.rows; ++n) {
    const float* const row = g.table + g.ids[n] * g.columns;
    for (int64_t c = 0; c < g.columns; ++c) out.push_back(g.scale * row[c]);
  }
  return out;
}

// dtable[V,C] after the additions. The kernel's order is given, so its fp32 bits are too, where
// the factors are powers of two: their products are exact.
inline std::vector<float> embedding_scatter_add(const EmbeddingScatter& g,
                                                std::vector<float> dtable) {
  for (int64_t n = 0; n < g.rows; ++n) {
    if (g.ids[n] == g.padding_idx) continue;
    const float factor = g.factor ? g.factor[n] : g.scale;
    for (int64_t c = 0; c < g.columns; ++c) {
      dtable[g.ids[n] * g.columns + c] += factor * g.dout[n * g.columns + c];
    }
  }
  return dtable;
}

struct SoftmaxRow {
  BoundedValues probabilities;
  Bounded log_sum_exp;
};

inline SoftmaxRow softmax_row(int64_t columns, const float* x) {
  const Bounded maximum = *std::max_element(x, x + columns);
  SoftmaxRow row;
  Sum denominator;
  for (int64_t c = 0; c < columns; ++c) {
    row.probabilities.push_back(exp(Bounded(x[c]) - maximum));
    denominator.add(row.probabilities.back());
  }
  for (Bounded& probability : row.probabilities) probability = probability / denominator.total();
  row.log_sum_exp = maximum + log(denominator.total());
  return row;
}

// softmax of each row of x[N,V]
inline BoundedValues softmax(int64_t rows, int64_t columns, const float* x) {
  BoundedValues y;
  for (int64_t row = 0; row < rows; ++row) {
    const SoftmaxRow result = softmax_row(columns, x + row * columns);
    y.insert(y.end(), result.probabilities.begin(), result.probabilities.end());
  }
  return y;
}

struct CrossEntropyResult {
  BoundedValues losses;   // [N]
  BoundedValues dlogits;  // [N,V]
};

inline CrossEntropyResult cross_entropy(int64_t rows, int64_t columns, const int32_t* targets,
                                        float gradient_scale, const float* logits) {
  CrossEntropyResult result;
  for (int64_t row = 0; row < rows; ++row) {
    const float* z = logits + row * columns;
    if (targets[row] == kIgnoredTarget) {
      result.losses.emplace_back();
      result.dlogits.resize((row + 1) * columns);
      continue;
    }
    const SoftmaxRow softmax = softmax_row(columns, z);
    result.losses.push_back(softmax.log_sum_exp - Bounded(z[targets[row]]));
    for (int64_t c = 0; c < columns; ++c) {
      const Bounded onehot = c == targets[row] ? 1.0 : 0.0;
      result.dlogits.push_back(Bounded(gradient_scale) * (softmax.probabilities[c] - onehot));
    }
  }
  return result;
}

struct AdamWResult {
  BoundedValues p, m, v;
};

inline AdamWResult adamw(const AdamW& a) {
  AdamWResult result;
  const Bounded beta1 = a.beta1, beta2 = a.beta2, one = 1.0;
  for (int64_t i = 0; i < a.count; ++i) {
    const Bounded g = Bounded(a.grad_scale) * Bounded(a.g[i]);
    const Bounded m = beta1 * Bounded(a.m[i]) + (one - beta1) * g;
    const Bounded v = beta2 * Bounded(a.v[i]) + (one - beta2) * g * g;
    const Bounded update =
        Bounded(a.step_size) * m / (sqrt(v) * Bounded(a.v_scale) + Bounded(a.eps));
    result.p.push_back(Bounded(a.p[i]) * Bounded(a.decay) - update);
    result.m.push_back(m);
    result.v.push_back(v);
  }
  return result;
}

}  // namespace cria::reference
