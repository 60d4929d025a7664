#include "cria/data/interleaving.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "support/errors.h"

namespace cria {
namespace {

TEST(Interleaving, OneSourceTakesEverything) {
  const Interleaving alone(std::vector<double>{0.3});
  for (const uint64_t position : {uint64_t{0}, uint64_t{7}, uint64_t{1} << 62}) {
    const auto [source, index] = alone.at(position);
    EXPECT_EQ(source, 0u);
    EXPECT_EQ(index, position);
  }
}

// Every prefix has of each source what its weight says, and its own indices in order.
TEST(Interleaving, SharesOfEveryPrefix) {
  const std::vector<std::vector<double>> all = {
      {1, 1},       {2.5, 1},           {1e-3, 0.7},    {1, 1, 1}, {0.34, 0.33, 0.33},
      {1, 2, 4, 8}, {8, 4, 2, 1, 1e-3}, {5, 5, 5, 5, 5}};
  for (const std::vector<double>& weights : all) {
    const Interleaving interleaving(weights);
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    const double sources = static_cast<double>(weights.size());
    // Shares are rounded to 2^-32, which does not show in so few positions.
    const double allowed = std::max(0.5, (sources - 1) / 2) + 1e-5;
    std::vector<uint64_t> taken(weights.size());
    for (uint64_t position = 0; position < 5000; ++position) {
      const auto [source, index] = interleaving.at(position);
      ASSERT_LT(source, weights.size());
      ASSERT_EQ(index, taken[source]++);
      for (size_t s = 0; s < weights.size(); ++s) {
        const double due = static_cast<double>(position + 1) * weights[s] / sum;
        ASSERT_NEAR(static_cast<double>(taken[s]), due, allowed)
            << weights.size() << " sources, source " << s << ", position " << position;
      }
    }
  }
}

TEST(Interleaving, TwoSourcesAlternate) {
  const Interleaving halves(std::vector<double>{3, 3});
  for (uint64_t position = 0; position < 100; ++position) {
    EXPECT_EQ(halves.at(position).source, position % 2);
    EXPECT_EQ(halves.at(position).index, position / 2);
  }
}

// A quarter of 2^32 is exact: 4 k + r has the neighbours of r, moved by k, however large k is.
TEST(Interleaving, ExactFarOut) {
  const Interleaving quarters(std::vector<double>{1, 3});
  for (const uint64_t far :
       {uint64_t{1} << 30, uint64_t{1} << 31, uint64_t{1} << 45, (uint64_t{1} << 61) - 1}) {
    for (uint64_t r = 0; r < 8; ++r) {
      const auto near = quarters.at(r), there = quarters.at(4 * far + r);
      EXPECT_EQ(there.source, near.source);
      EXPECT_EQ(there.index, near.index + (near.source == 0 ? far : 3 * far));
    }
  }
  // Any other shares go on counting in order.
  const Interleaving uneven(std::vector<double>{0.2137, 1, 0.077});
  std::vector<uint64_t> next(3);
  const uint64_t begin = (uint64_t{1} << 62) - 1000;
  for (uint64_t position = begin; position < begin + 2000; ++position) {
    const auto [source, index] = uneven.at(position);
    if (next[source] > 0) {
      EXPECT_EQ(index, next[source]);
    }
    next[source] = index + 1;
  }
  EXPECT_EQ(std::accumulate(next.begin(), next.end(), uint64_t{0}), begin + 2000);
}

TEST(Interleaving, HoweverSmallAWeightIsItsTurnComes) {
  const Interleaving rare(std::vector<double>{1e9, 1e-9});
  EXPECT_EQ(rare.at(uint64_t{1} << 31).source, 1u);  // once in 2^32
  const Interleaving first(std::vector<double>{1e-9, 1e9});
  EXPECT_EQ(first.at((uint64_t{1} << 31) - 1).source, 0u);
}

TEST(Interleaving, RefusesWeightsThatShareNothing) {
  const double nan = std::nan(""), inf = HUGE_VAL;
  for (const std::vector<double>& weights :
       {std::vector<double>{}, {0.0}, {1.0, -1.0}, {nan, 1.0}, {1.0, inf}}) {
    EXPECT_TRUE(
        error_of([&] { Interleaving each(weights); }).starts_with("weights of a data mixture"));
  }
}

}  // namespace
}  // namespace cria
