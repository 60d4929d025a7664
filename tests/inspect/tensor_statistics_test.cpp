#include "inspect/tensor_statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/errors.h"
#include "support/file_tensor.h"
#include "support/random.h"
#include "support/threads.h"

namespace cria {
namespace {

constexpr float kInfinite = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(TensorStatistics, ByHand) {
  const TensorStatistics s = tensor_statistics(file_tensor({3, 0, -1, -0.0f, 4, 0}, {2, 3}));
  EXPECT_EQ(s.count(), 6);
  EXPECT_EQ(s.finite, 6);
  EXPECT_EQ(s.zeros, 3) << "-0 is one";
  EXPECT_EQ(s.mean, 1);
  EXPECT_DOUBLE_EQ(s.std, std::sqrt((4 + 1 + 4 + 1 + 9 + 1) / 6.0));
  EXPECT_EQ(s.min, -1);
  EXPECT_EQ(s.max, 4);
  EXPECT_DOUBLE_EQ(s.norm, std::sqrt(26.0));
}

TEST(TensorStatistics, OfTheFiniteNumbersOnly) {
  const TensorStatistics s =
      tensor_statistics(file_vector({kNan, 1, kInfinite, 3, -kInfinite, -kInfinite}));
  EXPECT_EQ(s, (TensorStatistics{.finite = 2,
                                 .nans = 1,
                                 .infinities = 3,
                                 .mean = 2,
                                 .std = 1,
                                 .min = 1,
                                 .max = 3,
                                 .norm = std::sqrt(10.0)}));
  const TensorStatistics none = tensor_statistics(file_vector({kNan, kNan}));
  EXPECT_EQ(none, (TensorStatistics{.nans = 2}));
  EXPECT_TRUE(tensor_histogram(file_vector({kNan, kNan}), none, 4).counts.empty());
  EXPECT_EQ(tensor_statistics(file_tensor({}, {0, 3})), TensorStatistics());
  EXPECT_EQ(tensor_statistics(file_tensor({5}, {})).mean, 5) << "a scalar";
}

// The difference of large sums of squares would leave nothing of it.
TEST(TensorStatistics, ASmallSpreadFarFromZero) {
  std::vector<float> values(100'001);
  for (size_t i = 0; i < values.size(); ++i) values[i] = 1e6f + static_cast<float>(i % 3);
  // (33334 * 1 + 33333 * 4 ...): the mean of 0, 1, 2 in turn is 1 up to the two numbers left over.
  const double n = 100'001, mean = (33334.0 + 2 * 33333.0) / n;
  const double squares = (33334.0 + 4 * 33333.0) / n - mean * mean;
  const TensorStatistics s = tensor_statistics(file_vector(values));
  EXPECT_NEAR(s.mean, 1e6 + mean, 1e-9);
  EXPECT_NEAR(s.std, std::sqrt(squares), 1e-9);
}

TEST(TensorStatistics, TheLargestNumbersDoNotOverflow) {
  const float large = std::numeric_limits<float>::max();
  const TensorStatistics s = tensor_statistics(file_vector({large, -large}));
  EXPECT_EQ(s.mean, 0);
  EXPECT_DOUBLE_EQ(s.std, static_cast<double>(large));
  EXPECT_DOUBLE_EQ(s.norm, std::sqrt(2.0) * static_cast<double>(large));
}

// Several chunks and a part of one, with what is not finite in some.
TEST(TensorStatistics, TheSameBitsWithAnyNumberOfThreads) {
  std::vector<float> values = normal_values(5 * 32768 + 4321, "statistics");
  for (size_t i = 70'000; i < values.size(); i += 9'999) values[i] = i % 2 ? kNan : kInfinite;
  const FileTensor tensor = file_vector(values);
  TensorStatistics expected;
  Histogram spread;
  for (const int threads : {1, 2, 3}) {
    const ThreadCount scope(threads);
    const TensorStatistics s = tensor_statistics(tensor);
    const Histogram histogram = tensor_histogram(tensor, s, 13);
    if (threads == 1) {
      expected = s;
      spread = histogram;
    }
    EXPECT_EQ(s, expected) << threads << " threads";
    EXPECT_EQ(histogram, spread) << threads << " threads";
  }
  int64_t counted = spread.below + spread.above;
  for (const int64_t count : spread.counts) counted += count;
  EXPECT_EQ(counted, expected.finite);
  EXPECT_EQ(expected.count(), 5 * 32768 + 4321);
  EXPECT_GT(expected.nans, 3);
}

TEST(TensorStatistics, Histogram) {
  const FileTensor tensor = file_vector({0, 1, 2, 3, 4, 4, kNan});
  const Histogram h = tensor_histogram(tensor, tensor_statistics(tensor), 4);
  EXPECT_EQ(h, (Histogram{.low = 0, .high = 4, .counts = {1, 1, 1, 3}}));
  const FileTensor same = file_vector({0.1f, 0.1f, 0.1f});
  const Histogram one = tensor_histogram(same, tensor_statistics(same), 4);
  EXPECT_EQ(one.counts, std::vector<int64_t>{3});
}

TEST(TensorStatistics, WhatIsFarOutHasNoBin) {
  std::vector<float> values(1000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = i % 2 ? 1.0f : -1.0f;
  values[0] = 100;
  values[1] = -90;
  const FileTensor tensor = file_vector(values);
  const TensorStatistics s = tensor_statistics(tensor);
  const Histogram h = tensor_histogram(tensor, s, 10);
  EXPECT_EQ(h.below, 1);
  EXPECT_EQ(h.above, 1);
  EXPECT_EQ(h.low, s.mean - 4 * s.std);
  EXPECT_EQ(h.high, s.mean + 4 * s.std);
}

TEST(TensorStatistics, NumbersThatAreNotRead) {
  FileTensor tensor = file_vector({1});
  tensor.read = {};
  tensor.dtype = "Q4_K";
  EXPECT_EQ(error_of([&] { tensor_statistics(tensor); }),
            "test: x: wrong dtype\n"
            "  expected: F32, F16, BF16 or Q8_0\n"
            "  got: Q4_K");
}

}  // namespace
}  // namespace cria
