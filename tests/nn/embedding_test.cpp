// nn.Embedding: every argument against PyTorch's float64 results, and every edge case.
#include "cria/nn/embedding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "cria/nn/head_loss.h"
#include "cria/optim/adamw.h"
#include "support/allocations.h"
#include "support/any_threads.h"
#include "support/errors.h"
#include "support/golden.h"
#include "support/layer_check.h"

namespace cria {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

using Floats = std::vector<float>;
using Ids = std::vector<int32_t>;

// fp32 against float64: a few roundings of 6e-8.
constexpr double kGolden = 1e-6;

Floats elements(const ConstTensor& tensor) {
  return {tensor.data, tensor.data + tensor.size()};
}

// A table of its own, N(0, 1), and memory for `capacity` ids.
struct Table {
  Parameters parameters;
  Embedding embedding;
  Plan plan;
  Embedding::Saved saved;

  Table(int64_t rows, int64_t columns, const EmbeddingOptions& options = {}, double scale = 1.0,
        int64_t capacity = 64)
      : embedding(parameters, "table", rows, columns, options, 1.0, scale) {
    parameters.allocate();
    parameters.initialize(1);
    reserve_kernel_memory();
    embedding.plan(plan, 1, capacity);
    plan.saved.allocate("test");
    plan.scratch.allocate("test");
    saved = embedding.plan(plan, 1, capacity);
  }

  Table(int64_t rows, int64_t columns, const EmbeddingOptions& options, const Floats& values)
      : Table(rows, columns, options) {
    set(values);
  }

  void set(const Floats& values) {
    std::copy(values.begin(), values.end(), embedding.weight->mutable_value().data);
  }

  int64_t columns() const { return embedding.weight->value.shape[1]; }
  Floats values() const { return elements(embedding.weight->value); }
  Floats gradients() const { return elements(embedding.weight->grad); }
  std::span<const int32_t> touched() const { return embedding.weight->touched->rows(); }

  // ids as one dimension
  Floats forward(const Ids& ids) {
    const int64_t count = static_cast<int64_t>(ids.size());
    Floats out(ids.size() * static_cast<size_t>(columns()));
    embedding.forward(TokenIds(ids.data(), {count}), Tensor(out.data(), {count, columns()}), saved);
    return out;
  }
  void backward(const Ids& ids, const Floats& dout) {
    const int64_t count = static_cast<int64_t>(ids.size());
    embedding.backward(ConstTensor(dout.data(), {count, columns()}), TokenIds(ids.data(), {count}),
                       saved);
  }
};

EmbeddingOptions options_of(const Json& json) {
  EmbeddingOptions options;
  if (const Json* padding = json.find("padding_idx")) options.padding_idx = padding->as_int("");
  if (const Json* norm = json.find("max_norm")) options.max_norm = norm->as_double("");
  if (const Json* p = json.find("norm_type")) {
    options.norm_type = p->is_string() ? kInfinity : p->as_double("");
  }
  options.scale_grad_by_freq = json.find("scale_grad_by_freq") != nullptr;
  options.sparse = json.find("sparse") != nullptr;
  return options;
}

TEST(Embedding, Golden) {
  const Golden golden("embedding");
  Table table(11, 24, {.padding_idx = golden.integer("padding_idx")}, golden.floats("weight"));
  EXPECT_EQ(table.forward(golden.ints("ids")), golden.floats("y"));  // a copy of rows: exact
  table.backward(golden.ints("ids"), golden.floats("dout"));
  expect_near_norm(table.embedding.weight->grad, golden.floats("dweight"), kGolden, "dweight");
}

class EmbeddingGolden : public testing::TestWithParam<std::string> {};

TEST_P(EmbeddingGolden, IsPyTorchs) {
  const Golden golden("embedding_options");
  const std::string name = GetParam();
  const EmbeddingOptions options = options_of(golden.setting(name));
  Table table(11, 24, options, golden.floats("weight"));
  const Ids ids = golden.ints("ids");
  const Floats y = table.forward(ids);
  table.backward(ids, golden.floats("dout"));
  expect_near_norm(ConstTensor(y.data(), {12, 24}), golden.floats(name + ".y"), kGolden, "y");
  expect_near_norm(table.embedding.weight->grad, golden.floats(name + ".dweight"), kGolden,
                   "dweight");
  expect_near_norm(table.embedding.weight->value, golden.floats(name + ".weight_after"), kGolden,
                   "weight");
  if (!options.max_norm) {
    EXPECT_EQ(table.values(), golden.floats("weight"));
  }
  if (options.sparse) {
    Ids rows(table.touched().begin(), table.touched().end());
    std::sort(rows.begin(), rows.end());
    EXPECT_EQ(rows, golden.ints(name + ".rows"));
  }
}

INSTANTIATE_TEST_SUITE_P(Arguments, EmbeddingGolden,
                         testing::Values("padding", "padding_negative", "max_norm_2", "max_norm_1",
                                         "max_norm_inf", "max_norm_half", "max_norm_zero",
                                         "max_norm_padding", "scale_grad_by_freq",
                                         "scale_grad_by_freq_padding", "sparse"),
                         [](const auto& info) { return info.param; });

// Three rows of two; row 1 is used twice, row 0 not at all.
TEST(Embedding, SmallExampleByHand) {
  const Ids ids = {1, 1, 2};
  const Floats dout = {1, 0, 3, 2, 5, 5};
  const auto gradients = [&](const EmbeddingOptions& options) {
    Table table(3, 2, options);
    table.backward(ids, dout);
    return table.gradients();
  };
  EXPECT_EQ(gradients({}), (Floats{0, 0, 4, 2, 5, 5}));
  EXPECT_EQ(gradients({.scale_grad_by_freq = true}), (Floats{0, 0, 2, 1, 5, 5}));
  EXPECT_EQ(gradients({.padding_idx = 2}), (Floats{0, 0, 4, 2, 0, 0}));
  EXPECT_EQ(gradients({.padding_idx = -1}), (Floats{0, 0, 4, 2, 0, 0}));

  Table table(3, 2, {.max_norm = 1.0}, {30, 40, 3, 4, 0.6f, 0.7f});
  const Floats out = table.forward(ids);
  EXPECT_FLOAT_EQ(out[0], static_cast<float>(3 / (5 + 1e-7)));
  EXPECT_FLOAT_EQ(out[1], static_cast<float>(4 / (5 + 1e-7)));
  EXPECT_EQ(table.values(), (Floats{30, 40, out[0], out[1], 0.6f, 0.7f}));
  EXPECT_EQ(out, (Floats{out[0], out[1], out[0], out[1], 0.6f, 0.7f}));
}

TEST(Embedding, TheUsualWorkedShapes) {
  Parameters parameters;
  const Embedding embedding(parameters, "gpt2", 50257, 256, {});
  parameters.allocate();
  embedding.weight->mutable_value()(50256, 255) = 3.0f;
  Plan plan;
  Embedding::Saved saved = embedding.plan(plan, 8, 4);
  Ids ids(32);
  ids.back() = 50256;
  Floats out(8 * 4 * 256, 9.0f);
  const Tensor view(out.data(), {8, 4, 256});
  embedding.forward(TokenIds(ids.data(), {8, 4}), view, saved);
  EXPECT_EQ(view(7, 3, 255), 3.0f);
  EXPECT_EQ(std::count(out.begin(), out.end(), 0.0f), 8 * 4 * 256 - 1);
}

TEST(Embedding, IdsOfAnyShape) {
  Table table(3000, 8);
  const Ids ids = {73, 786, 2934, 0, 1, 2, 2999, 5, 6, 7, 8, 9};
  Floats wanted;
  for (const int32_t id : ids) {
    for (int64_t c = 0; c < 8; ++c) wanted.push_back(table.embedding.weight->value(id, c));
  }
  const auto expect = [&](const TokenIds& input, std::initializer_list<int64_t> shape) {
    Floats out(static_cast<size_t>(input.size()) * 8);
    const Tensor view(out.data(), shape);
    table.embedding.forward(input, view, table.saved);
    EXPECT_EQ(out, Floats(wanted.begin(), wanted.begin() + view.size())) << view.to_string();
    // A gradient of 1 everywhere counts the ids.
    table.parameters.zero_gradients();
    const Floats ones(out.size(), 1.0f);
    table.embedding.backward(ConstTensor(ones.data(), shape), input, table.saved);
    float total = 0;
    for (const float g : table.gradients()) total += g;
    EXPECT_EQ(total, static_cast<float>(out.size())) << view.to_string();
  };
  expect(TokenIds(ids.data(), {}), {8});
  expect(TokenIds(ids.data(), {3}), {3, 8});
  expect(TokenIds(ids.data(), {1, 3}), {1, 3, 8});
  expect(TokenIds(ids.data(), {4, 3}), {4, 3, 8});
  expect(TokenIds(ids.data(), {2, 2, 3}), {2, 2, 3, 8});
}

TEST(Embedding, OtherShapesAreErrors) {
  Table table(5, 4);
  const Ids ids(16);
  Floats memory(64, 9.0f);
  const TokenIds two_by_three(ids.data(), {2, 3});
  const auto error = [&](const TokenIds& input, const Tensor& out) {
    const std::string message = error_of([&] { table.embedding.forward(input, out, table.saved); });
    EXPECT_EQ(error_of([&] { table.embedding.backward(out, input, table.saved); }), message);
    return message;
  };
  EXPECT_EQ(error(two_by_three, Tensor(memory.data(), {2, 3, 4})), "");
  std::fill(memory.begin(), memory.end(), 9.0f);
  EXPECT_EQ(error(two_by_three, Tensor(memory.data(), {6, 4})),
            "embedding: shapes do not fit\n  expected: contiguous [2, 3, 4]\n  got: [6, 4]");
  for (const Tensor& out : {Tensor(memory.data(), {2, 3, 5}), Tensor(memory.data(), {3, 2, 4}),
                            Tensor(memory.data(), {2, 3}), Tensor(memory.data(), {2, 3, 4, 1}),
                            Tensor(memory.data(), {2, 3, 6}).narrow(2, 0, 4)}) {
    EXPECT_NE(error(two_by_three, out).find("shapes do not fit"), std::string::npos);
  }
  EXPECT_EQ(error(TokenIds(ids.data(), {1, 1, 2, 2}), Tensor(memory.data(), {4, 4})),
            "embedding: shapes do not fit\n  expected: contiguous ids of rank 0 to 3\n"
            "  got: [1, 1, 2, 2]");
  EXPECT_NE(error(TokenIds(ids.data(), {2, 3}).narrow(1, 0, 2), Tensor(memory.data(), {2, 2, 4})),
            "");
  EXPECT_EQ(memory, Floats(64, 9.0f));
}

TEST(Embedding, EmptyInputGivesEmptyOutput) {
  for (const EmbeddingOptions& options :
       {EmbeddingOptions{}, EmbeddingOptions{.max_norm = 0.1, .scale_grad_by_freq = true},
        EmbeddingOptions{.padding_idx = 0, .sparse = true}}) {
    Table table(5, 4, options);
    const Floats before = table.values();
    const auto run = [&](const TokenIds& ids, const Tensor& out) {
      table.embedding.forward(ids, out, table.saved);
      table.embedding.backward(out, ids, table.saved);
    };
    run(TokenIds(nullptr, {0}), Tensor(nullptr, {0, 4}));
    run(TokenIds(nullptr, {2, 0}), Tensor(nullptr, {2, 0, 4}));
    run(TokenIds(nullptr, {0, 3, 1}), Tensor(nullptr, {0, 3, 1, 4}));
    EXPECT_EQ(table.values(), before);
    EXPECT_EQ(table.gradients(), Floats(20, 0.0f));
    if (options.sparse) {
      EXPECT_TRUE(table.touched().empty());
    }
  }
}

TEST(Embedding, IdOutOfRangeNamesItsPlace) {
  Table table(5, 4, {.max_norm = 0.1});
  const Floats before = table.values();
  for (const int32_t bad : {5, -1, std::numeric_limits<int32_t>::min()}) {
    const Ids ids = {0, 1, 2, 3, 4, bad};
    Floats out(24, 9.0f);
    const auto error = [&](const TokenIds& input, const Tensor& view) {
      const auto forward = [&] { table.embedding.forward(input, view, table.saved); };
      const auto backward = [&] { table.embedding.backward(view, input, table.saved); };
      const std::string message = error_of(forward);
      EXPECT_EQ(error_of(backward), message);
      return message.substr(0, message.find("\n  hint"));
    };
    const std::string rest =
        ": token id out of range\n  expected: 0 to 4\n  got: " + std::to_string(bad);
    EXPECT_EQ(error(TokenIds(ids.data() + 5, {}), Tensor(out.data(), {4})), "embedding" + rest);
    EXPECT_EQ(error(TokenIds(ids.data(), {6}), Tensor(out.data(), {6, 4})),
              "embedding, position 5" + rest);
    EXPECT_EQ(error(TokenIds(ids.data(), {2, 3}), Tensor(out.data(), {2, 3, 4})),
              "embedding, batch 1, position 2" + rest);
    EXPECT_EQ(error(TokenIds(ids.data(), {1, 3, 2}), Tensor(out.data(), {1, 3, 2, 4})),
              "embedding, batch 0, 2, position 1" + rest);
    EXPECT_EQ(out, Floats(24, 9.0f)) << "written before the error";
    EXPECT_EQ(table.values(), before) << "renormalised before the error";
    EXPECT_EQ(table.gradients(), Floats(20, 0.0f));
  }
}

TEST(Embedding, ArgumentsOutOfRangeAreNamed) {
  const auto error = [](const EmbeddingOptions& options) {
    return error_of([&] { Table(5, 4, options); });
  };
  EXPECT_EQ(error({.padding_idx = 5}),
            "table: padding_idx: not possible\n  expected: -5 to 4\n  got: 5");
  EXPECT_NE(error({.padding_idx = -6}).find("got: -6"), std::string::npos);
  EXPECT_EQ(error({.gradient_scale = -1}),
            "table: gradient_scale: not possible\n  expected: 0 or more\n  got: -1.0");
  EXPECT_EQ(error({.max_norm = -1.0}),
            "table: max_norm: not possible\n  expected: 0 or more\n  got: -1.0");
  EXPECT_NE(error({.max_norm = kNaN}).find("max_norm"), std::string::npos);
  EXPECT_EQ(error({.norm_type = 0.0}),
            "table: norm_type: not possible\n  expected: more than 0, or inf\n  got: 0.0");
  for (const double p : {-2.0, -kInfinity, kNaN}) {
    EXPECT_NE(error({.norm_type = p}).find("norm_type"), std::string::npos) << p;
  }
  EXPECT_EQ(error({.scale_grad_by_freq = true, .sparse = true}),
            "table: sparse: not possible\n  expected: one of sparse and scale_grad_by_freq\n"
            "  got: both");
  for (const EmbeddingOptions& options :
       {EmbeddingOptions{.padding_idx = -5}, EmbeddingOptions{.padding_idx = 4},
        EmbeddingOptions{.max_norm = 0.0, .norm_type = kInfinity},
        EmbeddingOptions{.max_norm = kInfinity, .norm_type = 1e-3}}) {
    EXPECT_EQ(error(options), "");
  }
}

TEST(Embedding, StartsAsNormalNumbersWithAZeroPaddingRow) {
  for (const int64_t padding : {0, 7, 99, -100, -93, -1}) {
    Table table(100, 50, {.padding_idx = padding});
    const int64_t row = (padding + 100) % 100;
    EXPECT_EQ(table.embedding.options.padding_idx, row);
    double square = 0;
    for (int64_t k = 0; k < 100; ++k) {
      const Floats values = elements(table.embedding.weight->value.narrow(0, k, 1));
      EXPECT_EQ(values == Floats(50, 0.0f), k == row) << k;
      for (const float value : values) square += double{value} * value;
    }
    // There are 4950 numbers; the mean square of n has the standard deviation sqrt(2 / n).
    EXPECT_NEAR(square / 4950, 1.0, 5 * 0.0201);
  }
}

TEST(Embedding, PretrainedRowsAreTakenAsTheyAre) {
  const Floats rows = normal_values(20, "rows");
  Table table(5, 4, {.padding_idx = 2, .freeze = true});
  table.embedding.load_pretrained(ConstTensor(rows.data(), {5, 4}));
  EXPECT_EQ(table.values(), rows);
  EXPECT_EQ(table.forward({2}), Floats(rows.begin() + 8, rows.begin() + 12));
  for (const ConstTensor& other :
       {ConstTensor(rows.data(), {4, 5}), ConstTensor(rows.data(), {20}),
        ConstTensor(rows.data(), {5, 4, 1}), ConstTensor(rows.data(), {4, 4}),
        ConstTensor(rows.data(), {5, 2})}) {
    EXPECT_EQ(error_of([&] { table.embedding.load_pretrained(other); }),
              "table, pretrained rows: shapes do not fit\n  expected: contiguous [5, 4]\n  got: " +
                  other.to_string());
  }
}

TEST(Embedding, GradientByDifferences) {
  for (const double scale : {1.0, std::sqrt(5.0)}) {
    Table table(7, 5, {}, scale);
    const Ids ids = {1, 1, 6, 0, 3, 1};
    const Floats dout = normal_values(30, "dout");
    const auto loss = [&] {
      const Floats y = table.forward(ids);
      double total = 0;
      for (size_t i = 0; i < y.size(); ++i) total += static_cast<double>(y[i]) * dout[i];
      return total;
    };
    table.backward(ids, dout);
    expect_gradient(check_gradient(*table.embedding.weight, loss, 3));
  }
}

TEST(Embedding, ScaleMultipliesRowsAndGradients) {
  const Ids ids = {4, 0, 4};
  const Floats dout = normal_values(12, "dout");
  for (const bool by_freq : {false, true}) {
    Table plain(5, 4, {.scale_grad_by_freq = by_freq});
    Table scaled(5, 4, {.scale_grad_by_freq = by_freq}, 4.0);
    Floats out = plain.forward(ids);
    for (float& x : out) x *= 4;
    EXPECT_EQ(scaled.forward(ids), out);
    plain.backward(ids, dout);
    scaled.backward(ids, dout);
    Floats gradients = plain.gradients();
    for (float& g : gradients) g *= 4;
    EXPECT_EQ(scaled.gradients(), gradients);
  }
}

TEST(Embedding, GradientsAccumulate) {
  Table table(3, 2, {.scale_grad_by_freq = true});
  table.backward({1, 1}, {1, 2, 3, 4});
  table.backward({1}, {10, 20});  // counts are of the call, not of both
  EXPECT_EQ(table.gradients(), (Floats{0, 0, 12, 23, 0, 0}));
}

double direct_norm(const Floats& row, double p) {
  long double total = 0, largest = 0;
  for (const float x : row) {
    total += std::pow(std::abs(static_cast<long double>(x)), static_cast<long double>(p));
    largest = std::max(largest, std::abs(static_cast<long double>(x)));
  }
  return static_cast<double>(p == kInfinity ? largest : std::pow(total, 1 / (long double)p));
}

// Three times the norm allowed; one step further, only the ids of that call.
TEST(Embedding, MaxNormShrinksTheRowsUsedOfEveryNorm) {
  for (const double p : {0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 40.0, kInfinity}) {
    const Floats start = normal_values(60, "rows");
    const Floats long_row(start.begin() + 24, start.begin() + 36);
    const double norm = direct_norm(long_row, p);
    Table table(5, 12, {.max_norm = norm / 3, .norm_type = p}, start);
    Floats wanted = start;
    for (int c = 24; c < 36; ++c) {
      wanted[c] = static_cast<float>(start[c] * (norm / 3 / (norm + 1e-7)));
    }
    table.forward({2, 2, 2});
    for (int i = 0; i < 60; ++i) EXPECT_FLOAT_EQ(table.values()[i], wanted[i]) << p << ", " << i;
    // At or below the norm, nothing happens; the factor left the row a little below.
    const Floats after = table.values();
    EXPECT_EQ(table.forward({2}), Floats(after.begin() + 24, after.begin() + 36));
    EXPECT_EQ(table.values(), after);
  }
}

TEST(Embedding, AChangedTableHasANewVersion) {
  Table plain(5, 4, {}), limited(5, 4, {.max_norm = 0.1});
  const int64_t before[] = {plain.embedding.weight->version, limited.embedding.weight->version};
  plain.forward({2, 3});
  limited.forward({2, 3});
  EXPECT_EQ(plain.embedding.weight->version, before[0]);
  EXPECT_GT(limited.embedding.weight->version, before[1]);
  const Floats rows = normal_values(20, "rows");
  plain.embedding.load_pretrained(ConstTensor(rows.data(), {5, 4}));
  EXPECT_GT(plain.embedding.weight->version, before[0]);
}

TEST(Embedding, MaxNormOfUnusualRows) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Floats rows = {3e38f, -3e38f, 1e-44f, 0, 0, 0, nan, 5, infinity, 5};
  for (const double p : {0.5, 2.0, 8.0, kInfinity}) {
    Table table(5, 2, {.max_norm = 1.0, .norm_type = p}, rows);
    table.forward({0, 1, 2, 3, 4});
    const Floats got = table.values();
    const float share = static_cast<float>(std::pow(2.0, p == kInfinity ? 0 : -1 / p));
    EXPECT_FLOAT_EQ(got[0], share);
    EXPECT_FLOAT_EQ(got[1], -share);
    EXPECT_EQ(Floats(got.begin() + 2, got.begin() + 6), (Floats{1e-44f, 0, 0, 0}));
    EXPECT_TRUE(std::isnan(got[6]));  // no number is more than max_norm
    EXPECT_EQ(got[7], 5.0f);
    EXPECT_TRUE(std::isnan(got[8]));  // as PyTorch: infinity times 0
    EXPECT_EQ(got[9], 0.0f);
  }
}

TEST(Embedding, MaxNormSparesNeitherPaddingNorFrozenRows) {
  Table table(2, 2, {.padding_idx = 0, .max_norm = 1.0, .freeze = true}, {3, 4, 6, 8});
  table.forward({0, 1});
  const Floats got = table.values();
  for (const int i : {0, 2}) EXPECT_FLOAT_EQ(got[i], 0.6f);
  table.set({3, 4, 6, 8});
  EXPECT_EQ(table.forward({}), Floats{});
  EXPECT_EQ(table.values(), (Floats{3, 4, 6, 8}));
}

// The set of distinct ids is not cleared between calls: what one leaves may not show in the next.
TEST(Embedding, CallsForgetEachOther) {
  constexpr int64_t kRows = 9, kColumns = 3;
  const EmbeddingOptions options = {.max_norm = 1.0, .scale_grad_by_freq = true};
  Table table(kRows, kColumns, options);
  for (int call = 0; call < 200; ++call) {
    const std::string name = std::to_string(call);
    const Ids ids = random_ids(call % 7, kRows, name);
    const Floats start = normal_values(kRows * kColumns, name);
    const Floats dout = normal_values(static_cast<int64_t>(ids.size()) * kColumns, name);
    Table fresh(kRows, kColumns, options, start);
    table.set(start);
    table.parameters.zero_gradients();
    EXPECT_EQ(table.forward(ids), fresh.forward(ids));
    EXPECT_EQ(table.values(), fresh.values());
    table.backward(ids, dout);
    fresh.backward(ids, dout);
    EXPECT_EQ(table.gradients(), fresh.gradients());
    // Against the definition too: the mean over the occurrences of each id.
    std::map<int32_t, int> counts;
    for (const int32_t id : ids) ++counts[id];
    Floats wanted(kRows * kColumns);
    for (size_t n = 0; n < ids.size(); ++n) {
      for (int64_t c = 0; c < kColumns; ++c) {
        wanted[ids[n] * kColumns + c] +=
            dout[n * kColumns + c] / static_cast<float>(counts[ids[n]]);
      }
    }
    for (size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_NEAR(table.gradients()[i], wanted[i], 1e-6);  // up to 6 terms of a few units
    }
  }
}

TEST(Embedding, MorePlacesThanPlannedAreAnError) {
  for (const EmbeddingOptions& options :
       {EmbeddingOptions{.max_norm = 1.0}, EmbeddingOptions{.scale_grad_by_freq = true}}) {
    Table table(5, 4, options, 1.0, 3);
    const auto run = [&](size_t count) {
      table.forward(Ids(count));
      table.backward(Ids(count), Floats(count * 4));
    };
    run(3);
    EXPECT_NE(error_of([&] { run(4); }).find("at most 3 ids"), std::string::npos);
  }
}

TEST(Embedding, SameBitsForAnyNumberOfThreads) {
  constexpr int64_t kRows = 50, kColumns = 300, kIds = 400;
  const Ids ids = random_ids(kIds, kRows, "ids");
  const Floats dout = normal_values(kIds * kColumns, "dout");
  for (const EmbeddingOptions& options :
       {EmbeddingOptions{.padding_idx = 3, .max_norm = 15.0, .sparse = true},
        EmbeddingOptions{.max_norm = 1.0, .norm_type = 1.5, .scale_grad_by_freq = true}}) {
    run_with_any_threads([&] {
      Table table(kRows, kColumns, options, 1.7, kIds);
      const Floats y = table.forward(ids);
      table.backward(ids, dout);
      AdamWOptimizer optimizer(table.parameters, {});
      const float norm = static_cast<float>(optimizer.gradient_norm());
      const Floats gradients = table.gradients();
      optimizer.step(1e-3, 1.0);
      return Arrays{y, gradients, {norm}, table.values()};
    });
  }
}

TEST(Embedding, PassesAllocateNothing) {
  if (!allocations_are_counted()) GTEST_SKIP() << "allocations are not counted here";
  const Ids ids = {1, 1, 6, 0, 3, 1};
  const Floats dout = normal_values(30, "dout");
  Floats out(30);
  for (const EmbeddingOptions& options :
       {EmbeddingOptions{.padding_idx = 0, .max_norm = 1.0, .sparse = true},
        EmbeddingOptions{.scale_grad_by_freq = true}}) {
    Table table(7, 5, options);
    AdamWOptimizer optimizer(table.parameters, {});
    const int64_t before = allocations();
    for (int i = 0; i < 3; ++i) {
      table.embedding.forward(TokenIds(ids.data(), {2, 3}), Tensor(out.data(), {2, 3, 5}),
                              table.saved);
      table.embedding.backward(ConstTensor(dout.data(), {2, 3, 5}), TokenIds(ids.data(), {2, 3}),
                               table.saved);
      optimizer.gradient_norm();
      optimizer.step(1e-3, 1.0);
    }
    EXPECT_EQ(allocations() - before, 0);
  }
}

TEST(Embedding, SparseRecordsTheRowsUsed) {
  Table sparse(7, 2, {.padding_idx = 6, .sparse = true}), dense(7, 2, {.padding_idx = 6});
  const Floats dout = normal_values(10, "dout");
  for (Table* table : {&sparse, &dense}) {
    table->backward({5, 6, 0, 5, 2}, dout);
    table->backward({2, 3}, Floats(dout.begin(), dout.begin() + 4));
  }
  EXPECT_EQ(Ids(sparse.touched().begin(), sparse.touched().end()), (Ids{5, 0, 2, 3}));
  EXPECT_EQ(sparse.gradients(), dense.gradients());
  sparse.parameters.zero_gradients();
  EXPECT_TRUE(sparse.touched().empty());
  sparse.backward({6, 6}, {1, 1, 1, 1});
  EXPECT_TRUE(sparse.touched().empty()) << "padding alone: an empty gradient";
}

TEST(Embedding, AFrozenTableGetsNoGradient) {
  Table table(5, 4, {.sparse = true, .freeze = true});
  const Floats before = table.values();
  table.forward({1, 2});
  table.backward({1, 2}, Floats(8, 1.0f));
  EXPECT_EQ(table.gradients(), Floats(20, 0.0f));
  AdamWOptimizer optimizer(table.parameters, {.weight_decay = 0.5});
  EXPECT_EQ(optimizer.gradient_norm(), 0.0);
  optimizer.step(0.1, 1.0);
  EXPECT_EQ(table.values(), before);
}

// A head that shares the table.
class TiedHead : public testing::Test {
 protected:
  // Forward and backward of three rows through the head.
  void run(Table& table, Floats& dx) {
    const HeadLoss head = {.weight = table.embedding.weight};
    Plan plan;
    head.plan(plan, 1, 3);
    plan.saved.allocate("test");
    plan.scratch.allocate("test");
    HeadLoss::Saved saved = head.plan(plan, 1, 3);
    const Floats x = normal_values(12, "x");
    const Ids targets = {0, 4, 2};
    head.forward_backward(ConstTensor(x.data(), {3, 4}), TokenIds(targets.data(), {1, 3}), saved,
                          1.0f, Tensor(dx.data(), {3, 4}));
  }

  Floats dx_ = Floats(12), other_dx_ = Floats(12);
};

TEST_F(TiedHead, GivesAFrozenTableNoGradient) {
  Table frozen(5, 4, {.freeze = true}), learned(5, 4);
  run(frozen, dx_);
  run(learned, other_dx_);
  EXPECT_EQ(frozen.gradients(), Floats(20, 0.0f));
  EXPECT_NE(learned.gradients(), Floats(20, 0.0f));
  EXPECT_EQ(dx_, other_dx_);
}

TEST_F(TiedHead, TouchesEveryRowOfASparseTable) {
  Table sparse(5, 4, {.sparse = true}), dense(5, 4);
  for (Table* table : {&sparse, &dense}) {
    table->backward({3}, Floats(4, 1.0f));
    run(*table, dx_);
  }
  EXPECT_EQ(Ids(sparse.touched().begin(), sparse.touched().end()), (Ids{3, 0, 1, 2, 4}));
  EXPECT_EQ(sparse.gradients(), dense.gradients());
}

}  // namespace
}  // namespace cria
