#include "base/timing.h"

#include <gtest/gtest.h>

namespace cria {
namespace {

TEST(Timing, TheMedianIsTheHigherOfTwoInTheMiddle) {
  EXPECT_EQ(median({3}), 3);
  EXPECT_EQ(median({9, 1, 5}), 5);
  EXPECT_EQ(median({4, 1, 3, 2}), 3);
}

std::vector<double> from_one_to(int count) {
  std::vector<double> values;
  for (int i = count; i >= 1; --i) values.push_back(i);
  return values;
}

TEST(Timing, SpreadIsBetweenTheQuartiles) {
  EXPECT_EQ(spread({3}), 0);
  EXPECT_EQ(spread({5, 5, 5, 5, 500}), 0);
  EXPECT_DOUBLE_EQ(spread(from_one_to(8)), (7.0 - 3.0) / 5.0);
}

// Tables of the binomial distribution with p = 1/2 say how often at most i of n fall below.
TEST(Timing, TheMediansInterval) {
  const auto expect = [](int count, double low, double value, double high) {
    const Median median = median_interval(from_one_to(count));
    EXPECT_EQ(median.low, low) << count;
    EXPECT_EQ(median.value, value) << count;
    EXPECT_EQ(median.high, high) << count;
  };
  expect(1, 1, 1, 1);
  expect(5, 1, 3, 5);     // 1/32 > 0.025
  expect(6, 1, 4, 6);     // 1/64
  expect(8, 1, 5, 8);     // 9/256 > 0.025
  expect(9, 2, 5, 8);     // 10/512
  expect(20, 6, 11, 15);  // 0.0207; the next, 0.0577
  expect(100, 40, 51, 61);
  expect(100000, 49690, 50001, 50311);  // far from where 2^-n is a number
}

}  // namespace
}  // namespace cria
