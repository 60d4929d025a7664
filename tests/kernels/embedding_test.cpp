#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "cria/kernels/kernels.h"
#include "support/any_threads.h"
#include "support/guarded.h"
#include "support/isas.h"
#include "support/random.h"
#include "support/reference.h"

namespace cria {
namespace {

class EmbeddingTest : public IsaTest {};
CRIA_ON_EVERY_ISA(EmbeddingTest);

struct Case {
  int64_t rows, columns, vocabulary;
};

// More rows than ids, so that ids repeat; fewer, so that table rows stay unused.
template <class Check>
void each_case(Check check) {
  for (const int64_t rows : {1, 2, 5, 17, 64}) {
    for (const int64_t columns : {1, 3, 4, 8, 15, 16, 17, 33, 65}) {
      for (const int64_t vocabulary : {1, 7, 97}) {
        SCOPED_TRACE("N " + std::to_string(rows) + " C " + std::to_string(columns) + " V " +
                     std::to_string(vocabulary));
        check(Case{rows, columns, vocabulary});
      }
    }
  }
  check(Case{1031, 129, 61});
}

void check_gather(const Case& c, float scale) {
  const std::vector<int32_t> ids = random_ids(c.rows, c.vocabulary, "ids");
  Guarded table(normal_values(c.vocabulary * c.columns, "table"));
  EmbeddingGather call = {.rows = c.rows,
                          .columns = c.columns,
                          .ids = ids.data(),
                          .table = table.data(),
                          .scale = scale,
                          .out = nullptr};
  const Arrays got = run_with_any_threads([&] {
    Guarded out(c.rows * c.columns);
    call.out = out.data();
    kernels().embedding_gather(call);
    EXPECT_TRUE(out.gaps_untouched());
    return Arrays{out.elements()};
  });
  EXPECT_TRUE(same_bits(got[0], reference::embedding_gather(call)));
}

TEST_P(EmbeddingTest, GatherCopiesRows) {
  each_case([](const Case& c) { check_gather(c, 1.0f); });
}

TEST_P(EmbeddingTest, GatherScalesRows) {
  each_case([](const Case& c) { check_gather(c, 22.627417f); });
}

// A scale of 1 changes no bit of what else a float may be.
TEST_P(EmbeddingTest, GatherCopiesSpecialValues) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> table = {-0.0f, 1.5f, -infinity, nan, 0x1p-126f, 3.4e38f};
  const std::vector<int32_t> ids = {1, 0};
  std::vector<float> out(6);
  kernels().embedding_gather({.rows = 2,
                              .columns = 3,
                              .ids = ids.data(),
                              .table = table.data(),
                              .scale = 1.0f,
                              .out = out.data()});
  EXPECT_TRUE(same_bits(out, {nan, 0x1p-126f, 3.4e38f, -0.0f, 1.5f, -infinity}));
}

// factors: a factor for each row, or none; powers of two.
void check_scatter(const Case& c, int64_t padding_idx, const std::vector<float>& factors,
                   float scale) {
  const std::vector<int32_t> ids = random_ids(c.rows, c.vocabulary, "ids");
  const std::vector<float> initial = normal_values(c.vocabulary * c.columns, "dtable");
  Guarded dout(normal_values(c.rows * c.columns, "dout"));
  EmbeddingScatter call = {.rows = c.rows,
                           .columns = c.columns,
                           .ids = ids.data(),
                           .padding_idx = padding_idx,
                           .factor = factors.empty() ? nullptr : factors.data(),
                           .scale = scale,
                           .dout = dout.data(),
                           .dtable = nullptr};
  const Arrays got = run_with_any_threads([&] {
    Guarded dtable(initial);
    call.dtable = dtable.data();
    kernels().embedding_scatter_add(call);
    EXPECT_TRUE(dtable.gaps_untouched());
    return Arrays{dtable.elements()};
  });
  EXPECT_TRUE(same_bits(got[0], reference::embedding_scatter_add(call, initial)));
}

TEST_P(EmbeddingTest, ScatterAddsInTheOrderOfTheRows) {
  each_case([](const Case& c) { check_scatter(c, -1, {}, 1.0f); });
}

TEST_P(EmbeddingTest, ScatterLeavesThePaddingRow) {
  each_case([](const Case& c) { check_scatter(c, c.vocabulary / 2, {}, 1.0f); });
}

TEST_P(EmbeddingTest, ScatterScales) {
  each_case([](const Case& c) { check_scatter(c, -1, {}, 16.0f); });
}

TEST_P(EmbeddingTest, ScatterTakesAFactorForEachRow) {
  each_case([](const Case& c) {
    std::vector<float> factors;
    for (int64_t n = 0; n < c.rows; ++n) factors.push_back(std::ldexp(1.0f, -(n % 7)));
    check_scatter(c, c.vocabulary / 2, factors, 3.0f);
  });
}

}  // namespace
}  // namespace cria
