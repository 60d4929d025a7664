// Ticks are round, within the axis, and neither many nor missing.
#include "report/scale.h"

#include <gtest/gtest.h>

#include <cmath>

#include "report/svg.h"

namespace cria {
namespace {

std::string ticks_of(const Scale& scale) {
  std::string text;
  for (const double tick : scale.ticks) text += (text.empty() ? "" : " ") + number_text(tick);
  return text;
}

TEST(Scale, TicksAreRound) {
  EXPECT_EQ(ticks_of(linear_scale(0, 2000, 5, false)), "0 500 1000 1500 2000");
  EXPECT_EQ(ticks_of(linear_scale(0, 1000, 5, false)), "0 200 400 600 800 1000");
  EXPECT_EQ(ticks_of(linear_scale(1.47, 4.2, 5, false)), "2 3 4");
  EXPECT_EQ(ticks_of(linear_scale(-0.02, 0.03, 5, false)), "-0.02 -0.01 0 0.01 0.02 0.03");
  EXPECT_EQ(ticks_of(linear_scale(0, 1, 5, false)), "0 0.2 0.4 0.6 0.8 1");
  EXPECT_EQ(ticks_of(linear_scale(3e-5, 9e-5, 5, false)), "4e-5 6e-5 8e-5");
}

TEST(Scale, EndsMoveOutwards) {
  const Scale scale = linear_scale(1.47, 4.2, 5, true);
  EXPECT_EQ(ticks_of(scale), "1 2 3 4 5");
  EXPECT_EQ(scale.low, 1);
  EXPECT_EQ(scale.high, 5);
  EXPECT_EQ(scale.at(1), 0);
  EXPECT_EQ(scale.at(5), 1);
  EXPECT_EQ(scale.at(3), 0.5);
}

TEST(Scale, OneNumberIsInTheMiddle) {
  for (const double value : {0.0, 3.5, -2.0, 1e-9, 1e12}) {
    for (const bool logarithmic : {false, true}) {
      if (logarithmic && value <= 0) continue;
      const std::vector<double> numbers = {value};
      const Scale scale = scale_for({&numbers}, logarithmic, 5, true);
      EXPECT_LT(scale.low, value);
      EXPECT_GT(scale.high, value);
      EXPECT_NEAR(scale.at(value), 0.5, 0.26) << value;
      EXPECT_GE(scale.ticks.size(), 1u);
    }
  }
}

TEST(Scale, LogarithmicTicksArePowersOfTen) {
  EXPECT_EQ(ticks_of(logarithmic_scale(0.001, 100, 6)), "0.001 0.01 0.1 1 10 100");
  EXPECT_EQ(ticks_of(logarithmic_scale(1e-12, 1, 5)), "1e-12 1e-9 1e-6 0.001 1");
  EXPECT_EQ(ticks_of(logarithmic_scale(3, 80, 5)), "5 10 20 50");
  EXPECT_EQ(ticks_of(logarithmic_scale(2.1, 4.9, 5)), "3 4");
  const Scale scale = logarithmic_scale(0.01, 1, 5);
  EXPECT_DOUBLE_EQ(scale.at(0.1), 0.5);
}

TEST(Scale, IsForFiniteNumbers) {
  const std::vector<double> some = {NAN, 2, INFINITY}, others = {-1, 7, -INFINITY}, none = {};
  const Scale linear = scale_for({&some, &others, &none}, false, 5, false);
  EXPECT_EQ(linear.low, -1);
  EXPECT_EQ(linear.high, 7);
  EXPECT_EQ(scale_for({&some, &others}, true, 5, false).low, 2);
  EXPECT_LT(scale_for({&none}, false, 5, true).low, scale_for({&none}, true, 5, true).high);
}

// Whatever the ends are: at least two ticks of a linear scale, not more than there is room for.
TEST(Scale, TicksFitAnyRange) {
  for (int k = 0; k < 400; ++k) {
    const double low = std::sin(k) * std::pow(10, k % 19 - 9);
    const double high = low + std::pow(1.3, k % 90 - 30);
    const Scale scale = linear_scale(low, high, 5, false);
    EXPECT_GE(scale.ticks.size(), 2u) << low << ' ' << high;
    EXPECT_LE(scale.ticks.size(), 7u) << low << ' ' << high;
    for (const double tick : scale.ticks) {
      EXPECT_GE(scale.at(tick), -1e-5);
      EXPECT_LE(scale.at(tick), 1 + 1e-5);
    }
  }
}

}  // namespace
}  // namespace cria
