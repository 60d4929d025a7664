#include "kernels/peak.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/isas.h"

namespace cria {
namespace {

class MultiplyAddLoopTest : public IsaTest {};
CRIA_ON_EVERY_ISA(MultiplyAddLoopTest);

// Every operation is counted, two for a multiply-add of each number of a vector.
TEST_P(MultiplyAddLoopTest, CountsOperations) {
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    const double one = kernels().multiply_add_loop(precision, 1);
    EXPECT_GE(one, 2 * 4);
    EXPECT_EQ(kernels().multiply_add_loop(precision, 0), 0);
    EXPECT_EQ(kernels().multiply_add_loop(precision, 1000), 1000 * one);
  }
}

TEST(Peak, SpeedsArePositiveAndFinite) {
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    const double peak = measure_peak_flops(precision);
    EXPECT_TRUE(std::isfinite(peak));
    EXPECT_GT(peak, 1e6);
    EXPECT_GT(peak_flops(precision), 1e6);
    EXPECT_EQ(peak_flops(precision), peak_flops(precision));
  }
  PeakRuns peaks = measure_peaks();
  const size_t runs = peaks.fp32.size();
  EXPECT_EQ(peaks.bf16.size(), runs);
  peaks.append(peaks);
  EXPECT_EQ(peaks.fp32.size(), 2 * runs);
  peaks.append({.fp32 = {1e20}, .bf16 = {2e20}});
  EXPECT_EQ(peaks.best(Precision::fp32), 1e20);
  EXPECT_EQ(peaks.best(Precision::bf16), 2e20);
  const double bandwidth = measure_bandwidth();
  EXPECT_TRUE(std::isfinite(bandwidth));
  EXPECT_GT(bandwidth, 1e6);
}

}  // namespace
}  // namespace cria
