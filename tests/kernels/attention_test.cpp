#include <gtest/gtest.h>

#include <string>

#include "support/attention_case.h"
#include "support/isas.h"

namespace cria {
namespace {

using namespace attention_case;

class AttentionTest : public IsaTest {};
CRIA_ON_EVERY_ISA(AttentionTest);

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
      check_forward({1, 2, 2, 8, queries, keys}, kAllTables);
    }
  }
  for (const Wanted& wanted : kTables) check_forward({1, 2, 1, 8, 110, 231}, wanted);
}

// Keys before the first query, as a memory of the previous segment.
TEST_P(AttentionTest, GradientsWithMoreKeysThanQueries) {
  for (const Wanted& wanted : {Wanted{}, kAllTables}) {
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
  check_training({1, 1, 1, 4, 401, 401}, kAllTables);
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

TEST_P(AttentionTest, Dropout) {
  for (const Wanted& wanted : {Wanted{}, kAllTables}) {
    for (const Case& c : {Case{1, 2, 1, 8, 1, 1}, Case{2, 4, 2, 8, 37, 37, true},
                          Case{1, 2, 2, 8, 197, 197}, Case{2, 2, 1, 8, 20, 53}}) {
      check_precisions(c, wanted, [](const Case& each, Tables& tables) {
        check_forward(each, tables, {kDropout});
        check_backward(each, tables, {kDropout});
      });
    }
  }
}

// A window of 9 keys, as a bias of -1e30: whole tiles have no weight, the first of them included.
TEST_P(AttentionTest, BiasThatMasks) {
  check_precisions({1, 2, 1, 8, 210, 210}, {.bias = true}, [](const Case& c, Tables& tables) {
    set_bias(tables, c.heads, [](int64_t distance) { return distance < 9 ? 0.0f : -1e30f; });
    check_forward(c, tables);
    check_backward(c, tables);
  });
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
