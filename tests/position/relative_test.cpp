// The families that act on scores: slopes, buckets, and what their tables hold.
#include <gtest/gtest.h>

#include <cmath>

#include "position/disentangled.h"
#include "position/distance_bias.h"

namespace cria {
namespace {

// The paper's: a geometric sequence from 2^(-8/n); for 12 heads those of 8, then every other of 16.
TEST(Alibi, SlopesOfThePaper) {
  const auto powers = [](std::vector<double> exponents) {
    for (double& e : exponents) e = std::exp2(-e);
    return exponents;
  };
  EXPECT_EQ(alibi_slopes(8), powers({1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(alibi_slopes(16),
            powers({0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7, 7.5, 8}));
  EXPECT_EQ(alibi_slopes(12), powers({1, 2, 3, 4, 5, 6, 7, 8, 0.5, 1.5, 2.5, 3.5}));
  EXPECT_EQ(alibi_slopes(6), powers({2, 4, 6, 8, 1, 3}));
  EXPECT_EQ(alibi_slopes(3), powers({4, 8, 2}));
  EXPECT_EQ(alibi_slopes(2), powers({4, 8}));
  EXPECT_EQ(alibi_slopes(1), powers({8}));
}

TEST(T5Bias, FirstDistanceOfEachBucket) {
  const std::vector<int64_t> first = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                      11, 12, 13, 14, 15, 16, 19, 21, 24, 27, 31,
                                      35, 40, 46, 52, 59, 67, 77, 87, 99, 113};
  for (int64_t bucket = 0; bucket < 32; ++bucket) {
    EXPECT_EQ(t5_bucket(first[bucket], 32, 128), bucket);
    if (bucket > 0) {
      EXPECT_EQ(t5_bucket(first[bucket] - 1, 32, 128), bucket - 1);
    }
  }
  EXPECT_EQ(t5_bucket(100000, 32, 128), 31);
}

TEST(Disentangled, LogarithmicBuckets) {
  for (const auto& [distance, bucket] : std::vector<std::pair<int64_t, int64_t>>{{128, 128},
                                                                                 {129, 129},
                                                                                 {130, 130},
                                                                                 {200, 169},
                                                                                 {300, 207},
                                                                                 {400, 233},
                                                                                 {500, 254},
                                                                                 {511, 255}}) {
    EXPECT_EQ(deberta_bucket(distance, 256, 512), bucket);
  }
  const auto small = [](int64_t distance) {
    return distance <= 4 ? distance : distance <= 7 ? 5 : distance <= 15 ? 6 : 7;
  };
  for (int64_t d = 0; d < 40; ++d) EXPECT_EQ(deberta_bucket(d, 8, 32), small(d)) << d;
}

// Filled in two goes or in one, the rows are the same; the last row is distance 0.
TEST(RelativeTables, FillInPieces) {
  Parameters parameters;
  const PositionConfig config = {.name = "alibi", .heads = 4, .kv_heads = 4, .head_dim = 2};
  const auto position = make_position(parameters, config);
  Arena saved, scratch;
  std::vector<std::vector<float>> filled;
  for (const int64_t first : {0, 30}) {
    RelativeTables tables;
    for (int run = 0; run < 2; ++run) {
      if (run == 1) saved.allocate("test");
      tables = position->plan_tables(saved, scratch, 2, 100);
    }
    EXPECT_EQ(tables.rows, 192);
    EXPECT_FALSE(tables.dbias);  // nothing is learned
    position->on_scores(0, tables, first);
    tables.filled = first;
    position->on_scores(0, tables, 100);
    EXPECT_EQ(tables.bias(1, 191), 0.0f);
    EXPECT_EQ(tables.bias(1, 190), -0.0625f);
    EXPECT_EQ(tables.bias(0, 191 - 99), -99 * 0.25f);
    filled.emplace_back(tables.bias.data, tables.bias.data + tables.bias.size());
    saved = Arena();
  }
  EXPECT_EQ(filled[0], filled[1]);
}

}  // namespace
}  // namespace cria
