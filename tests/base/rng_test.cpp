#include "cria/base/rng.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace cria {
namespace {

using Words = std::array<uint32_t, 4>;

// Known answers published with the reference implementation (Random123, philox4x32 10 rounds).
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox(0, 0, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox(~0ull, ~0ull, ~0ull), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Rng, Fnv1aKnownAnswers) {
  EXPECT_EQ(fnv1a(""), 0xcbf29ce484222325u);
  EXPECT_EQ(fnv1a("a"), 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(fnv1a("foobar"), 0x85944171f73967e8u);
}

TEST(Rng, StreamsAndSeedsDiffer) {
  EXPECT_NE(Rng(1, "a").next(), Rng(1, "b").next());
  EXPECT_NE(Rng(1, "a").next(), Rng(2, "a").next());
  EXPECT_EQ(Rng(1, "a").next(), Rng(1, "a").next());
}

TEST(Rng, BelowIsUniform) {
  Rng rng(7, "test");
  std::vector<int> counts(7);
  constexpr int kDraws = 70000;
  for (int i = 0; i < kDraws; ++i) ++counts.at(rng.below(7));
  // Binomial: mean 10000, standard deviation 93; five of them.
  for (const int count : counts) EXPECT_NEAR(count, kDraws / 7, 465);
}

TEST(Rng, NormalHasItsMoments) {
  std::vector<float> values(100000);
  fill_normal(values.data(), 0, values.size(), 2.0, 3, "test");
  double mean = 0, square = 0;
  for (const float value : values) {
    mean += value;
    square += double{value} * value;
  }
  mean /= static_cast<double>(values.size());
  square /= static_cast<double>(values.size());
  EXPECT_NEAR(mean, 0.0, 5 * 2.0 / std::sqrt(1e5));
  EXPECT_NEAR(square, 4.0, 5 * 4.0 * std::sqrt(2.0 / 1e5));
}

TEST(Rng, FillNormalDependsOnThePositionOnly) {
  std::vector<float> whole(11), part(4);
  fill_normal(whole.data(), 0, whole.size(), 1.0, 3, "test");
  fill_normal(part.data(), 5, part.size(), 1.0, 3, "test");
  for (size_t i = 0; i < part.size(); ++i) EXPECT_EQ(part[i], whole[5 + i]);
}

}  // namespace
}  // namespace cria
