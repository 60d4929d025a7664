#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "cria/base/rng.h"
#include "cria/kernels/kernels.h"
#include "support/any_threads.h"
#include "support/guarded.h"
#include "support/isas.h"
#include "support/random.h"

namespace cria {
namespace {

DropoutMask mask_of(double rate, uint64_t pass = 0) {
  DropoutMask mask;
  std::ranges::copy(philox(1, 2, pass), mask.key);
  mask.kept = static_cast<int32_t>(std::lround((1 - rate) * (1 << 24)));
  mask.scale = static_cast<float>(1 / (1 - rate));
  return mask;
}

// The word of an element, in plain arithmetic.
uint32_t word(const DropoutMask& mask, int64_t index) {
  const uint64_t i = static_cast<uint64_t>(index);
  const uint32_t low = static_cast<uint32_t>(i), high = static_cast<uint32_t>(i >> 32);
  uint32_t x = (low ^ mask.key[0]) * 0x9E3779B1u + mask.key[1];
  x = ((x ^ x >> 16) ^ (high + mask.key[2])) * 0x85EBCA6Bu;
  x = ((x ^ x >> 13) + mask.key[3]) * 0xC2B2AE35u;
  return x ^ x >> 16;
}

bool keeps(const DropoutMask& mask, int64_t index) {
  return static_cast<int32_t>(word(mask, index) >> 8) < mask.kept;
}

class DropoutKernelTest : public IsaTest {};
CRIA_ON_EVERY_ISA(DropoutKernelTest);

enum class Place { apart, in_x, in_addend };

std::vector<float> run(const std::vector<float>& values, const std::vector<float>& added,
                       const DropoutMask& mask, int64_t first, Place place) {
  Guarded x(values), addend(added.empty() ? values : added);
  Guarded apart(static_cast<int64_t>(values.size()));
  Guarded& out = place == Place::apart ? apart : place == Place::in_x ? x : addend;
  kernels().dropout({.count = x.size(),
                     .first = first,
                     .x = x.data(),
                     .addend = added.empty() ? nullptr : addend.data(),
                     .out = out.data(),
                     .mask = mask});
  EXPECT_TRUE(x.gaps_untouched() && addend.gaps_untouched() && apart.gaps_untouched());
  return out.elements();
}

// One product, rounded once: the same bits everywhere. With an addend the product may be rounded
// before it is added, or not.
void check(int64_t count, int64_t first, double rate) {
  SCOPED_TRACE(std::to_string(count) + " from " + std::to_string(first) + ", rate " +
               std::to_string(rate));
  const DropoutMask mask = mask_of(rate);
  const std::vector<float> x = normal_values(count, "x"), addend = normal_values(count, "addend");
  std::vector<float> dropped(x.size());
  for (int64_t i = 0; i < count; ++i) dropped[i] = x[i] * (keeps(mask, first + i) ? mask.scale : 0);
  for (const Place place : {Place::apart, Place::in_x}) {
    EXPECT_TRUE(same_bits(run(x, {}, mask, first, place), dropped));
  }
  const Arrays sums =
      run_with_any_threads([&] { return Arrays{run(x, addend, mask, first, Place::apart)}; });
  for (int64_t i = 0; i < count; ++i) {
    const double want = static_cast<double>(dropped[i]) + addend[i];
    ASSERT_NEAR(sums[0][i], want, 0x1p-23 * (std::abs(dropped[i]) + std::abs(want))) << i;
  }
  for (const Place place : {Place::in_x, Place::in_addend}) {
    EXPECT_TRUE(same_bits(run(x, addend, mask, first, place), sums[0]));
  }
}

TEST_P(DropoutKernelTest, SameMaskAsPlainArithmetic) {
  for (const int64_t count : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 257}) {
    for (const double rate : {0.1, 0.5, 0.99}) check(count, 0, rate);
    // Where the low word begins again from 0, at every place in a vector.
    check(count, (int64_t{1} << 32) - count / 2, 0.5);
    check(count, (int64_t{5} << 32) - 1, 0.5);
  }
  check(40001, 3, 0.1);  // work for several threads
}

TEST_P(DropoutKernelTest, KeepsEverythingByDefault) {
  const std::vector<float> x = normal_values(37, "x");
  EXPECT_TRUE(same_bits(run(x, {}, DropoutMask{}, 0, Place::apart), x));
}

TEST_P(DropoutKernelTest, NotANumberStaysOneWhereItIsDropped) {
  const std::vector<float> out =
      run(std::vector<float>(100, NAN), {}, mask_of(0.5), 0, Place::apart);
  EXPECT_TRUE(std::ranges::all_of(out, [](float value) { return std::isnan(value); }));
}

// Statistics of 2^18 draws: sums of independent terms, so normal. Of each of the few hundred
// figures here 5 standard deviations are exceeded once in two million; the keys are fixed. What a
// correlation of 1 element in 50 would do is 10 standard deviations.
class DropoutStatistics : public ::testing::TestWithParam<double> {
 protected:
  static constexpr int64_t kCount = 1 << 18;
  static constexpr double kDeviations = 5;

  // Each element's factor, less its mean and over its standard deviation.
  static std::vector<double> draws(uint64_t pass, int64_t first = 0) {
    const double rate = GetParam();
    const std::vector<float> ones(kCount, 1.0f);
    std::vector<double> normalized;
    for (const float factor : run(ones, {}, mask_of(rate, pass), first, Place::apart)) {
      normalized.push_back((factor * (1 - rate) - (1 - rate)) / std::sqrt(rate * (1 - rate)));
    }
    return normalized;
  }

  // sum of a[i] b[i + lag] over its standard deviation, were they independent.
  static double correlation(const std::vector<double>& a, const std::vector<double>& b,
                            int64_t lag = 0) {
    double total = 0;
    for (int64_t i = 0; i + lag < kCount; ++i) total += a[i] * b[i + lag];
    return total / std::sqrt(static_cast<double>(kCount - lag));
  }
};

INSTANTIATE_TEST_SUITE_P(Rates, DropoutStatistics, ::testing::Values(0.1, 0.5, 0.9));

// The scaled mask has mean 1: the sum over all elements; and over blocks of 256, whose counts are
// binomial: the mean of their squares is 1, with deviation sqrt(2 / blocks) (and a little for the
// fourth moment, at most 1 / (256 p q) < 0.05).
TEST_P(DropoutStatistics, MeanAndVariance) {
  for (uint64_t pass = 0; pass < 4; ++pass) {
    const std::vector<double> all = draws(pass);
    double total = 0, squares = 0;
    constexpr int64_t kBlock = 256, kBlocks = kCount / kBlock;
    for (int64_t block = 0; block < kBlocks; ++block) {
      double sum = 0;
      for (int64_t i = 0; i < kBlock; ++i) sum += all[block * kBlock + i];
      total += sum;
      squares += sum * sum / kBlock;
    }
    EXPECT_LT(std::abs(total) / std::sqrt(kCount), kDeviations);
    EXPECT_NEAR(squares / kBlocks, 1, kDeviations * std::sqrt(2.05 / kBlocks));
  }
}

// Neighbours, and elements one above the other in rows of usual widths.
TEST_P(DropoutStatistics, ElementsAreIndependent) {
  for (uint64_t pass = 0; pass < 2; ++pass) {
    const std::vector<double> all = draws(pass);
    for (const int64_t lag :
         {1, 2, 3, 4, 8, 16, 31, 32, 64, 96, 128, 288, 384, 768, 1000, 1024, 4096, 65536}) {
      EXPECT_LT(std::abs(correlation(all, all, lag)), kDeviations) << "lag " << lag;
    }
  }
}

TEST_P(DropoutStatistics, PassesAndHighWordsAreIndependent) {
  const std::vector<double> all = draws(0);
  for (uint64_t pass = 1; pass < 6; ++pass) {
    for (const int64_t lag : {0, 1, 64}) {
      EXPECT_LT(std::abs(correlation(all, draws(pass), lag)), kDeviations) << "pass " << pass;
    }
  }
  for (const int64_t high : {1, 2, 3}) {
    EXPECT_LT(std::abs(correlation(all, draws(0, high << 32))), kDeviations) << "high " << high;
  }
}

}  // namespace
}  // namespace cria
