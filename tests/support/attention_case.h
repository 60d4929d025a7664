// The attention kernel on one case after another: inputs with gaps around them, every kind of
// relative table and mask, against the reference and with any number of threads.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "cria/kernels/kernels.h"
#include "support/any_threads.h"
#include "support/guarded.h"
#include "support/random.h"
#include "support/reference.h"

namespace cria::attention_case {

struct Case {
  int64_t batch, heads, kv_heads, head_dim, queries, keys;
  bool fused = false;  // q, k and v side by side in one [B, T, (H + 2K) D]
  Precision precision = Precision::fp32;
};

inline std::string name(const Case& c) {
  return "B " + std::to_string(c.batch) + " H " + std::to_string(c.heads) + " K " +
         std::to_string(c.kv_heads) + " D " + std::to_string(c.head_dim) + " queries " +
         std::to_string(c.queries) + " keys " + std::to_string(c.keys) +
         (c.fused ? " fused" : " separate") + (c.precision == Precision::bf16 ? " bf16" : "");
}

// q, k and v, or their gradients: one fused buffer, or three with gaps after every row and batch.
class Projections {
 public:
  explicit Projections(const Case& c) : case_(c) {
    const int64_t q_columns = c.heads * c.head_dim, kv_columns = c.kv_heads * c.head_dim;
    if (c.fused) {
      q_row = kv_row = q_columns + 2 * kv_columns;
      q_batch = kv_batch = c.queries * q_row;
      buffers_.emplace_back(c.batch * c.queries, q_row, 0);
      q = buffers_[0].data();
      k = q + q_columns;
      v = k + kv_columns;
      return;
    }
    q_row = q_columns + 3;
    kv_row = kv_columns + 4;
    q_batch = c.queries * q_row + 5;
    kv_batch = (c.keys + 3) * kv_row;  // a cache with room left
    buffers_.emplace_back(q_shape(), std::vector<int64_t>{q_batch, q_row, c.head_dim, 1});
    for (int i = 0; i < 2; ++i) {
      buffers_.emplace_back(kv_shape(), std::vector<int64_t>{kv_batch, kv_row, c.head_dim, 1});
    }
    q = buffers_[0].data();
    k = buffers_[1].data();
    v = buffers_[2].data();
  }

  void fill() {
    for (size_t i = 0; i < buffers_.size(); ++i) {
      buffers_[i].set(normal_values(buffers_[i].size(), "projection " + std::to_string(i)));
    }
  }

  std::vector<float> q_elements() const { return gather(q, q_shape(), q_batch, q_row); }
  std::vector<float> k_elements() const { return gather(k, kv_shape(), kv_batch, kv_row); }
  std::vector<float> v_elements() const { return gather(v, kv_shape(), kv_batch, kv_row); }

  bool gaps_untouched() const {
    return std::all_of(buffers_.begin(), buffers_.end(),
                       [](const Guarded& buffer) { return buffer.gaps_untouched(); });
  }

  float *q, *k, *v;
  int64_t q_batch, q_row, kv_batch, kv_row;

 private:
  std::vector<int64_t> q_shape() const {
    return {case_.batch, case_.queries, case_.heads, case_.head_dim};
  }
  std::vector<int64_t> kv_shape() const {
    return {case_.batch, case_.keys, case_.kv_heads, case_.head_dim};
  }
  std::vector<float> gather(const float* from, const std::vector<int64_t>& shape, int64_t batch,
                            int64_t row) const {
    std::vector<float> values;
    for (const int64_t offset : strided_offsets(shape, {batch, row, case_.head_dim, 1})) {
      values.push_back(from[offset]);
    }
    return values;
  }

  Case case_;
  std::vector<Guarded> buffers_;
};

// Tables of relative keys, relative queries and a bias, each only if wanted, and their gradients.
struct Wanted {
  bool keys = false, queries = false, bias = false;
};

// Enough rows for the keys, and one block to spare.
class Tables {
 public:
  Tables(const Case& c, const Wanted& wanted)
      : rows((c.keys + kRelativeRows - 1) / kRelativeRows * kRelativeRows + kRelativeRows),
        keys(rows * c.kv_heads * c.head_dim),
        queries(rows * c.heads * c.head_dim),
        bias(rows * c.heads),
        wanted_(wanted) {
    keys.set(normal_values(keys.size(), "relative keys"));
    queries.set(normal_values(queries.size(), "relative queries"));
    bias.set(normal_values(bias.size(), "bias"));
    Attention sizes{};
    sizes.heads = c.heads;
    sizes.kv_heads = c.kv_heads;
    sizes.head_dim = c.head_dim;
    sizes.relative.rows = rows;
    packed = std::make_unique<Guarded>(relative_packed_floats(sizes));
  }

  RelativeScores view() {
    return {rows,
            wanted_.keys ? keys.data() : nullptr,
            wanted_.queries ? queries.data() : nullptr,
            wanted_.bias ? bias.data() : nullptr,
            packed->data(),
            uniform_from};
  }

  // Makes the rows of keys the same from this distance on, and those of queries.
  void make_uniform(int64_t distance) {
    uniform_from = distance;
    for (Guarded* table : {&keys, &queries}) {
      const int64_t width = table->size() / rows;
      const float* shared = table->data() + (rows - 1 - distance) * width;
      for (int64_t t = 0; t < rows - 1 - distance; ++t) {
        std::copy_n(shared, width, table->data() + t * width);
      }
    }
  }

  // Gradients [B, rows, width] with those of the rows that are the same added up; which of them
  // holds what is the kernel's affair.
  template <class Value>
  std::vector<Value> fold(std::vector<Value> gradient, int64_t batch) const {
    if (uniform_from >= rows || gradient.empty()) return gradient;
    const int64_t width = static_cast<int64_t>(gradient.size()) / batch / rows;
    const int64_t shared = rows - 1 - uniform_from;
    for (int64_t b = 0; b < batch; ++b) {
      Value* first = gradient.data() + b * rows * width;
      for (int64_t i = 0; i < shared * width; ++i) {
        first[shared * width + i % width] = first[shared * width + i % width] + first[i];
        first[i] = Value();
      }
    }
    return gradient;
  }

  const Wanted& wanted() const { return wanted_; }

  int64_t rows;
  Guarded keys, queries, bias;
  std::unique_ptr<Guarded> packed;
  int64_t uniform_from = INT64_MAX;

 private:
  Wanted wanted_;
};

struct TableGradients {
  TableGradients(const Case& c, const Tables& tables)
      : keys(c.batch * tables.keys.size()),
        queries(c.batch * tables.queries.size()),
        bias(c.batch * tables.bias.size()),
        wanted(tables.wanted()) {}

  RelativeGradient view() {
    return {wanted.keys ? keys.data() : nullptr, wanted.queries ? queries.data() : nullptr,
            wanted.bias ? bias.data() : nullptr};
  }
  bool gaps_untouched() const {
    return keys.gaps_untouched() && queries.gaps_untouched() && bias.gaps_untouched();
  }

  Guarded keys, queries, bias;
  Wanted wanted;
};

struct Output {
  explicit Output(const Case& c)
      : row(c.heads * c.head_dim + 6),
        batch(c.queries * row + 7),
        out({c.batch, c.queries, c.heads * c.head_dim}, {batch, row, 1}),
        log_sum_exp(c.batch * c.heads * c.queries) {}

  bool gaps_untouched() const { return out.gaps_untouched() && log_sum_exp.gaps_untouched(); }

  int64_t row, batch;
  Guarded out, log_sum_exp;
};

// What hides pairs: of the probabilities by chance, of the keys all before first_key.
struct Masks {
  DropoutMask dropout = {};
  std::vector<int32_t> first_key = {};  // [B, queries]; empty: none
};

inline Attention attention(const Case& c, const Projections& in, Output& output, Tables& tables,
                           const Masks& masks = {}) {
  return {c.batch,       c.heads,       c.kv_heads,
          c.head_dim,    c.queries,     c.keys,
          0.37f,         in.q,          in.k,
          in.v,          in.q_batch,    in.q_row,
          in.kv_batch,   in.kv_row,     output.out.data(),
          output.batch,  output.row,    output.log_sum_exp.data(),
          tables.view(), masks.dropout, masks.first_key.empty() ? nullptr : masks.first_key.data(),
          c.precision};
}

inline void check_forward(const Case& c, Tables& tables, const Masks& masks = {}) {
  Projections in(c);
  in.fill();
  const Arrays got = run_with_any_threads([&] {
    Output output(c);
    kernels().attention_forward(attention(c, in, output, tables, masks));
    EXPECT_TRUE(output.gaps_untouched());
    EXPECT_TRUE(tables.packed->gaps_untouched());
    return Arrays{output.out.elements(), output.log_sum_exp.elements()};
  });
  Output unused(c);
  const auto want = reference::attention_forward(attention(c, in, unused, tables, masks));
  EXPECT_TRUE(within(got[0], want.out)) << "out";
  EXPECT_TRUE(within(got[1], want.log_sum_exp)) << "log_sum_exp";
}

// Forward and backward: out, dQ, dK, dV and the gradients of the tables.
inline Arrays run_attention(const Case& c, const Projections& in, Output& output, Output& dout,
                            Tables& tables, const Masks& masks) {
  const Attention forward = attention(c, in, output, tables, masks);
  kernels().attention_forward(forward);
  Projections gradients(c);
  TableGradients dtables(c, tables);
  Guarded scratch(c.batch * c.heads * c.queries);
  kernels().attention_backward({forward, dout.out.data(), gradients.q, gradients.k, gradients.v,
                                scratch.data(), dtables.view()});
  EXPECT_TRUE(gradients.gaps_untouched());
  EXPECT_TRUE(output.gaps_untouched());
  EXPECT_TRUE(scratch.gaps_untouched());
  EXPECT_TRUE(dtables.gaps_untouched());
  EXPECT_TRUE(tables.packed->gaps_untouched());
  return {output.out.elements(),  gradients.q_elements(),  gradients.k_elements(),
          gradients.v_elements(), dtables.keys.elements(), dtables.queries.elements(),
          dtables.bias.elements()};
}

inline void check_backward(const Case& c, Tables& tables, const Masks& masks = {}) {
  Projections in(c);
  in.fill();
  Output output(c), dout(c);
  dout.out.set(normal_values(dout.out.size(), "dout"));
  const Arrays got =
      run_with_any_threads([&] { return run_attention(c, in, output, dout, tables, masks); });
  const auto want =
      reference::attention_backward({attention(c, in, output, tables, masks), dout.out.data(),
                                     nullptr, nullptr, nullptr, nullptr});
  EXPECT_TRUE(within(got[1], want.dq)) << "dq";
  EXPECT_TRUE(within(got[2], want.dk)) << "dk";
  EXPECT_TRUE(within(got[3], want.dv)) << "dv";
  const Wanted& wanted = tables.wanted();
  if (wanted.keys) {
    EXPECT_TRUE(within(tables.fold(got[4], c.batch), tables.fold(want.dkeys, c.batch))) << "dkeys";
  }
  if (wanted.queries) {
    EXPECT_TRUE(within(tables.fold(got[5], c.batch), tables.fold(want.dqueries, c.batch)))
        << "dqueries";
  }
  if (wanted.bias) {
    EXPECT_TRUE(within(got[6], want.dbias)) << "dbias";
  }
}

inline std::string name(const Case& c, const Wanted& wanted) {
  return name(c) + (wanted.keys ? " keys" : "") + (wanted.queries ? " queries" : "") +
         (wanted.bias ? " bias" : "");
}

// check(case, tables) in fp32 and in bf16.
template <class Check>
void check_precisions(Case c, const Wanted& wanted, Check&& check) {
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    c.precision = precision;
    SCOPED_TRACE(name(c, wanted));
    Tables tables(c, wanted);
    check(c, tables);
  }
}

inline void check_forward(const Case& c, const Wanted& wanted = {}) {
  check_precisions(c, wanted,
                   [](const Case& each, Tables& tables) { check_forward(each, tables); });
}

inline void check_training(const Case& c, const Wanted& wanted = {}) {
  check_precisions(c, wanted, [](const Case& each, Tables& tables) {
    check_forward(each, tables);
    check_backward(each, tables);
  });
}

// Every set of tables.
inline const std::vector<Wanted> kTables = {{.keys = true},
                                            {.queries = true},
                                            {.bias = true},
                                            {.keys = true, .queries = true},
                                            {.keys = true, .bias = true},
                                            {.keys = true, .queries = true, .bias = true}};

inline constexpr Wanted kAllTables = {.keys = true, .queries = true, .bias = true};

inline constexpr DropoutMask kDropout = {
    .key = {0x6d2f1a83, 0x90b4e517, 0x3c8d72f6, 0xe1594ba0}, .kept = 3 << 22, .scale = 4.0f / 3};

}  // namespace cria::attention_case
