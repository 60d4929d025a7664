#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "cria/kernels/kernels.h"
#include "support/any_threads.h"
#include "support/guarded.h"
#include "support/isas.h"
#include "support/random.h"
#include "support/reference.h"

namespace cria {
namespace {

class AttentionTest : public IsaTest {};
CRIA_ON_EVERY_ISA(AttentionTest);

struct Case {
  int64_t batch, heads, kv_heads, head_dim, queries, keys;
  bool fused = false;  // q, k and v side by side in one [B, T, (H + 2K) D]
};

std::string name(const Case& c) {
  return "B " + std::to_string(c.batch) + " H " + std::to_string(c.heads) + " K " +
         std::to_string(c.kv_heads) + " D " + std::to_string(c.head_dim) + " queries " +
         std::to_string(c.queries) + " keys " + std::to_string(c.keys) +
         (c.fused ? " fused" : " separate");
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

  // From this distance on the rows of keys are the same, and those of queries.
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

Attention attention(const Case& c, const Projections& in, Output& output, Tables& tables,
                    const Masks& masks = {}) {
  return {c.batch,       c.heads,       c.kv_heads,
          c.head_dim,    c.queries,     c.keys,
          0.37f,         in.q,          in.k,
          in.v,          in.q_batch,    in.q_row,
          in.kv_batch,   in.kv_row,     output.out.data(),
          output.batch,  output.row,    output.log_sum_exp.data(),
          tables.view(), masks.dropout, masks.first_key.empty() ? nullptr : masks.first_key.data()};
}

void check_forward(const Case& c, Tables& tables, const Masks& masks = {}) {
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

void check_backward(const Case& c, Tables& tables, const Masks& masks = {}) {
  Projections in(c);
  in.fill();
  Output output(c), dout(c);
  dout.out.set(normal_values(dout.out.size(), "dout"));
  const Arrays got = run_with_any_threads([&] {
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
    return Arrays{gradients.q_elements(),  gradients.k_elements(),     gradients.v_elements(),
                  dtables.keys.elements(), dtables.queries.elements(), dtables.bias.elements()};
  });
  const auto want =
      reference::attention_backward({attention(c, in, output, tables, masks), dout.out.data(),
                                     nullptr, nullptr, nullptr, nullptr});
  EXPECT_TRUE(within(got[0], want.dq)) << "dq";
  EXPECT_TRUE(within(got[1], want.dk)) << "dk";
  EXPECT_TRUE(within(got[2], want.dv)) << "dv";
  const Wanted& wanted = tables.wanted();
  if (wanted.keys) {
    EXPECT_TRUE(within(tables.fold(got[3], c.batch), tables.fold(want.dkeys, c.batch))) << "dkeys";
  }
  if (wanted.queries) {
    EXPECT_TRUE(within(tables.fold(got[4], c.batch), tables.fold(want.dqueries, c.batch)))
        << "dqueries";
  }
  if (wanted.bias) {
    EXPECT_TRUE(within(got[5], want.dbias)) << "dbias";
  }
}

std::string name(const Case& c, const Wanted& wanted) {
  return name(c) + (wanted.keys ? " keys" : "") + (wanted.queries ? " queries" : "") +
         (wanted.bias ? " bias" : "");
}

void check_forward(const Case& c, const Wanted& wanted = {}) {
  SCOPED_TRACE(name(c, wanted));
  Tables tables(c, wanted);
  check_forward(c, tables);
}

void check_training(const Case& c, const Wanted& wanted = {}) {
  SCOPED_TRACE(name(c, wanted));
  Tables tables(c, wanted);
  check_forward(c, tables);
  check_backward(c, tables);
}

// Every set of tables.
const std::vector<Wanted> kTables = {{.keys = true},
                                     {.queries = true},
                                     {.bias = true},
                                     {.keys = true, .queries = true},
                                     {.keys = true, .bias = true},
                                     {.keys = true, .queries = true, .bias = true}};

// A bias that is a function of the distance.
template <class Function>
void set_bias(Tables& tables, int64_t heads, Function&& function) {
  for (int64_t h = 0; h < heads; ++h) {
    for (int64_t t = 0; t < tables.rows; ++t) {
      tables.bias.data()[h * tables.rows + t] = function(tables.rows - 1 - t);
    }
  }
}

TEST_P(AttentionTest, EveryTime) {
  for (const int64_t time : {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 65, 95, 96, 97, 193}) {
    check_training({1, 2, 1, 8, time, time, true});
  }
  check_training({1, 1, 1, 4, 401, 401});  // more than one task of the forward pass
}

TEST_P(AttentionTest, EveryHeadDim) {
  for (const int64_t head_dim : {2, 6, 8, 20, 32, 48, 64, 80, 256}) {
    check_training({2, 2, 1, head_dim, 37, 37, head_dim % 4 == 0});
  }
}

TEST_P(AttentionTest, GroupsOfQueryHeads) {
  for (const int64_t kv_heads : {6, 3, 2, 1}) {
    for (const bool fused : {false, true}) check_training({3, 6, kv_heads, 8, 19, 19, fused});
  }
}

TEST_P(AttentionTest, QueriesAfterACache) {
  for (const int64_t queries : {1, 5}) {
    for (const int64_t keys : {5, 6, 16, 17, 64, 95, 96, 97, 193}) {
      check_forward({2, 4, 2, 32, queries, keys});
      check_forward({1, 2, 2, 8, queries, keys}, {.keys = true, .queries = true, .bias = true});
    }
  }
  for (const Wanted& wanted : kTables) check_forward({1, 2, 1, 8, 110, 231}, wanted);
}

// Keys before the first query, as a memory of the previous segment.
TEST_P(AttentionTest, GradientsWithMoreKeysThanQueries) {
  for (const Wanted& wanted : {Wanted{}, Wanted{.keys = true, .queries = true, .bias = true}}) {
    for (const auto& [queries, keys] :
         {std::pair{1, 2}, {13, 20}, {13, 33}, {100, 107}, {40, 150}}) {
      check_training({2, 4, 2, 8, queries, keys}, wanted);
    }
    check_training({1, 1, 1, 8, 210, 310}, wanted);
  }
}

TEST_P(AttentionTest, RelativeTables) {
  for (const Wanted& wanted : kTables) {
    for (const int64_t time : {1, 2, 7, 16, 17, 33, 95, 96, 97, 193}) {
      check_training({1, 2, 1, 8, time, time, true}, wanted);
    }
    check_training({3, 4, 2, 20, 37, 37}, wanted);
    check_training({1, 6, 6, 6, 50, 50}, wanted);
    check_training({2, 3, 1, 64, 130, 130, true}, wanted);
  }
  // More than one task of the forward pass, and a wide head.
  check_training({1, 1, 1, 4, 401, 401}, {.keys = true, .queries = true, .bias = true});
  check_training({1, 1, 1, 256, 101, 101}, {.keys = true, .queries = true});
}

// Tiles whose pairs all share a row of the tables, beside others that only partly do.
TEST_P(AttentionTest, FarPairsShareARow) {
  for (const int64_t distance : {0, 3, 100, 150}) {
    for (const Case& c : {Case{1, 4, 2, 8, 331, 331}, Case{2, 2, 1, 20, 50, 300, false}}) {
      for (const Wanted& wanted :
           {Wanted{.keys = true}, Wanted{.queries = true}, Wanted{.keys = true, .queries = true}}) {
        SCOPED_TRACE(name(c, wanted) + ", from " + std::to_string(distance));
        Tables tables(c, wanted);
        tables.make_uniform(distance);
        check_forward(c, tables);
        check_backward(c, tables);
      }
    }
  }
}

constexpr DropoutMask kDropout = {
    .key = {0x6d2f1a83, 0x90b4e517, 0x3c8d72f6, 0xe1594ba0}, .kept = 3 << 22, .scale = 4.0f / 3};

TEST_P(AttentionTest, Dropout) {
  for (const Wanted& wanted : {Wanted{}, Wanted{.keys = true, .queries = true, .bias = true}}) {
    for (const Case& c : {Case{1, 2, 1, 8, 1, 1}, Case{2, 4, 2, 8, 37, 37, true},
                          Case{1, 2, 2, 8, 197, 197}, Case{2, 2, 1, 8, 20, 53}}) {
      SCOPED_TRACE(name(c, wanted));
      Tables tables(c, wanted);
      check_forward(c, tables, {kDropout});
      check_backward(c, tables, {kDropout});
    }
  }
}

// The first keys of all queries where documents begin at 0 and at these positions of the keys; each
// sequence after the first has its documents one position earlier than that before.
std::vector<int32_t> documents_at(const Case& c, const std::vector<int64_t>& begins) {
  std::vector<int32_t> first_key;
  for (int64_t b = 0; b < c.batch; ++b) {
    for (int64_t i = 0; i < c.queries; ++i) {
      int64_t first = 0;
      for (const int64_t begin : begins) {
        if (begin - b <= c.keys - c.queries + i) first = std::max(first, begin - b);
      }
      first_key.push_back(static_cast<int32_t>(first));
    }
  }
  return first_key;
}

void check_documents(const Case& c, const std::vector<int64_t>& begins, const Wanted& wanted = {},
                     const DropoutMask& dropout = {}) {
  SCOPED_TRACE(name(c, wanted) + ", " + std::to_string(begins.size() + 1) + " documents" +
               (begins.empty() ? "" : ", the second at " + std::to_string(begins.front())));
  Tables tables(c, wanted);
  const Masks masks = {dropout, documents_at(c, begins)};
  check_forward(c, tables, masks);
  check_backward(c, tables, masks);
}

constexpr Wanted kAllTables = {.keys = true, .queries = true, .bias = true};

TEST_P(AttentionTest, Documents) {
  // Each token alone, and pairs.
  for (const int64_t time : {1, 2, 17, 95, 96, 97, 193}) {
    std::vector<int64_t> all, pairs;
    for (int64_t t = 1; t < time; ++t) all.push_back(t);
    for (int64_t t = 2; t < time; t += 2) pairs.push_back(t);
    for (const auto& begins : {all, pairs, {}}) {
      check_documents({1, 2, 1, 8, time, time, true}, begins);
    }
  }
  // Two documents that meet around the edges of tiles, and more of them.
  for (const int64_t begin : {1, 50, 95, 96, 97, 191, 192, 193, 287, 288}) {
    check_documents({1, 2, 1, 4, 289, 289}, {begin});
  }
  check_documents({1, 2, 1, 4, 289, 289}, {96, 192, 288});
  check_documents({1, 2, 1, 4, 289, 289}, {10, 11, 12, 40, 95, 100, 191, 194, 230});
  // Sequences with documents of their own, and groups of heads.
  for (const int64_t kv_heads : {6, 2, 1}) {
    check_documents({3, 6, kv_heads, 8, 130, 130, true}, {7, 98, 99});
  }
  // More than one task of the forward pass.
  for (const int64_t begin : {100, 390}) check_documents({1, 1, 1, 4, 401, 401}, {30, begin});
}

TEST_P(AttentionTest, DocumentsWithRelativeTables) {
  for (const Wanted& wanted : kTables) {
    for (const int64_t begin : {1, 95, 96, 97, 150}) {
      check_documents({2, 2, 1, 8, 193, 193}, {begin, 152}, wanted);
    }
  }
  check_documents({1, 4, 2, 6, 401, 401}, {90, 200, 385}, kAllTables);
  std::vector<int64_t> all;
  for (int64_t t = 1; t < 130; ++t) all.push_back(t);
  check_documents({1, 2, 2, 8, 130, 130}, all, kAllTables);
}

// A far tile with hidden pairs, and far ones without.
TEST_P(AttentionTest, DocumentsWithFarPairs) {
  for (const int64_t distance : {0, 3, 100}) {
    const Case c{1, 4, 2, 8, 331, 331};
    SCOPED_TRACE("from " + std::to_string(distance));
    Tables tables(c, {.keys = true, .queries = true});
    tables.make_uniform(distance);
    const Masks masks = {{}, documents_at(c, {20, 300})};
    check_forward(c, tables, masks);
    check_backward(c, tables, masks);
  }
}

TEST_P(AttentionTest, DocumentsWithDropout) {
  for (const Wanted& wanted : {Wanted{}, kAllTables}) {
    check_documents({2, 4, 2, 8, 137, 137, true}, {40, 97, 100}, wanted, kDropout);
  }
}

// Keys before the first query, whole tiles of which nobody sees.
TEST_P(AttentionTest, DocumentsWithMoreKeysThanQueries) {
  for (const Wanted& wanted : {Wanted{}, kAllTables}) {
    for (const int64_t begin : {5, 200, 211, 230}) {
      check_documents({2, 4, 2, 8, 40, 250}, {begin}, wanted);
    }
  }
}

// Elements alike: only zeros may differ in their signs.
TEST_P(AttentionTest, OneDocumentIsNoMask) {
  const Case c{2, 4, 2, 8, 200, 200};
  Projections in(c);
  in.fill();
  Tables tables(c, kAllTables);
  Output dout(c);
  dout.out.set(normal_values(dout.out.size(), "dout"));
  std::vector<Arrays> all;
  for (const Masks& masks : {Masks{kDropout}, Masks{kDropout, documents_at(c, {})}}) {
    Output output(c);
    const Attention forward = attention(c, in, output, tables, masks);
    kernels().attention_forward(forward);
    Projections gradients(c);
    TableGradients dtables(c, tables);
    Guarded scratch(c.batch * c.heads * c.queries);
    kernels().attention_backward({forward, dout.out.data(), gradients.q, gradients.k, gradients.v,
                                  scratch.data(), dtables.view()});
    all.push_back({output.out.elements(), output.log_sum_exp.elements(), gradients.q_elements(),
                   gradients.k_elements(), gradients.v_elements(), dtables.keys.elements(),
                   dtables.queries.elements(), dtables.bias.elements()});
  }
  EXPECT_TRUE(all[0] == all[1]);
}

// A window of 9 keys, as a bias of -1e30: whole tiles have no weight, the first of them included.
TEST_P(AttentionTest, BiasThatMasks) {
  const Case c{1, 2, 1, 8, 210, 210};
  Tables tables(c, {.bias = true});
  set_bias(tables, c.heads, [](int64_t distance) { return distance < 9 ? 0.0f : -1e30f; });
  check_forward(c, tables);
  check_backward(c, tables);
}

// -1e30 on all keys is no mask: all have the same score, and the hidden ones still no weight.
TEST_P(AttentionTest, BiasThatMakesAllScoresTheSame) {
  const Case c{1, 1, 1, 8, 70, 70};
  Projections in(c);
  in.fill();
  Output output(c);
  Tables tables(c, {.bias = true});
  set_bias(tables, c.heads, [](int64_t) { return -1e30f; });
  kernels().attention_forward(attention(c, in, output, tables));
  BoundedValues want;
  const std::vector<float> v = in.v_elements();
  for (int64_t i = 0; i < c.queries; ++i) {
    for (int64_t d = 0; d < c.head_dim; ++d) {
      Sum sum;
      for (int64_t j = 0; j <= i; ++j) sum.add(v[j * c.head_dim + d]);
      want.push_back(sum.total() / Bounded(static_cast<double>(i + 1)));
    }
  }
  EXPECT_TRUE(within(output.out.elements(), want));
}

// Scores of several hundred: exp of them overflows, exp of their differences does not.
TEST_P(AttentionTest, LargeScores) {
  const Case c{1, 2, 1, 8, 150, 150};
  Tables tables(c, {.bias = true});
  // Falling in steps as keys go by, then rising: the running maximum stays, or always changes.
  for (const int64_t slope : {3, -4}) {
    set_bias(tables, c.heads, [&](int64_t distance) {
      return static_cast<float>(500 + 5 * (distance % 7) + slope * distance);
    });
    check_forward(c, tables);
    check_backward(c, tables);
  }
}

}  // namespace
}  // namespace cria
