// What the machine can do: figures that nobody knows beforehand, but that must fit each other.
#include "cria/train/machine.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace cria {
namespace {

TEST(Machine, TheProcessorHasAName) {
  const std::string name = processor_name();
  EXPECT_FALSE(name.empty());
  EXPECT_EQ(name.find_first_of("\n\t"), std::string::npos);
}

TEST(Machine, PeakMemoryCoversWhatWasTouched) {
  const int64_t before = peak_rss_bytes();
  EXPECT_GT(before, 0);
  const std::vector<char> touched(static_cast<size_t>(before) + (16 << 20), 1);
  EXPECT_GE(peak_rss_bytes(), static_cast<int64_t>(touched.size()));
}

TEST(Machine, SpeedsArePositiveAndFinite) {
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    const double peak = measure_peak_flops(precision);
    EXPECT_TRUE(std::isfinite(peak));
    EXPECT_GT(peak, 1e6);
    EXPECT_GT(peak_flops(precision), 1e6);
    EXPECT_EQ(peak_flops(precision), peak_flops(precision));
  }
  const double bandwidth = measure_bandwidth();
  EXPECT_TRUE(std::isfinite(bandwidth));
  EXPECT_GT(bandwidth, 1e6);
}

TEST(Machine, TheMedianIsTheHigherOfTwoInTheMiddle) {
  EXPECT_EQ(median({3}), 3);
  EXPECT_EQ(median({9, 1, 5}), 5);
  EXPECT_EQ(median({4, 1, 3, 2}), 3);
}

}  // namespace
}  // namespace cria
