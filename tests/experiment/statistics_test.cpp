// Intervals of means, against SciPy and by simulation.
#include "experiment/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "cria/base/rng.h"

namespace cria {
namespace {

// scipy.stats.t.ppf(probability, degrees), SciPy 1.17.
TEST(Statistics, QuantilesAreSciPys) {
  const struct {
    double probability, degrees, quantile;
  } cases[] = {{0.975, 1, 12.706204736174694},  {0.975, 2, 4.302652729749462},
               {0.975, 4, 2.7764451051977934},  {0.975, 9, 2.262157162798205},
               {0.975, 29, 2.045229642132703},  {0.975, 1000, 1.9623390808264083},
               {0.9, 3, 1.637744353696209},     {0.5, 7, 0.0},
               {0.025, 4, -2.7764451051977943}, {0.999, 2.5, 13.82219311086596}};
  for (const auto& each : cases) {
    EXPECT_NEAR(student_t_quantile(each.probability, each.degrees), each.quantile,
                1e-12 * (1 + std::abs(each.quantile)))
        << each.probability << " " << each.degrees;
  }
}

TEST(Statistics, MeanAndDeviation) {
  const std::vector<double> values = {1.0, 2.0, 4.0, 9.0};
  const Sample sample = sample_of(values);
  EXPECT_EQ(sample.count, 4u);
  EXPECT_DOUBLE_EQ(sample.mean, 4.0);
  EXPECT_DOUBLE_EQ(sample.deviation, std::sqrt(38.0 / 3));
  // scipy.stats.t.interval(0.95, 3, scale=scipy.stats.sem(values))[1]
  EXPECT_NEAR(half_width_95(sample), 5.663204705733679, 1e-12);
}

TEST(Statistics, FewOrEqualValues) {
  const std::vector<double> one = {3.0}, equal = {0.1, 0.1, 0.1};
  EXPECT_EQ(half_width_95(sample_of(one)), INFINITY);
  EXPECT_EQ(sample_of(equal).deviation, 0.0);
  EXPECT_EQ(half_width_95(sample_of(equal)), 0.0);
}

// Of 10,000 samples of five numbers with mean 0, the interval holds 0 in 95 of 100: that many are
// within five standard deviations of the binomial distribution.
TEST(Statistics, IntervalsHoldTheTruthInNineteenOfTwentyCases) {
  Rng rng(1, "coverage");
  int held = 0;
  const int samples = 10000;
  for (int i = 0; i < samples; ++i) {
    std::vector<double> values(5);
    for (double& value : values) value = rng.normal();
    const Sample sample = sample_of(values);
    held += std::abs(sample.mean) <= half_width_95(sample);
  }
  EXPECT_NEAR(held, 0.95 * samples, 5 * std::sqrt(samples * 0.95 * 0.05));
}

}  // namespace
}  // namespace cria
