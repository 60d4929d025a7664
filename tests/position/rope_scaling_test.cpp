#include "cria/position/rope_scaling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace cria {
namespace {

constexpr int64_t kHeadDim = 128, kPairs = kHeadDim / 2;

std::vector<double> frequencies(const RopeScaling& scaling, double theta, int64_t max_positions,
                                int64_t length) {
  return rope_frequencies(scaling, kHeadDim, theta, max_positions, length);
}

// frequencies / plain ones, pair by pair.
std::vector<double> ratios(const RopeScaling& scaling, double theta = 10000.0,
                           int64_t max_positions = 4096, int64_t length = 4096) {
  std::vector<double> all = frequencies(scaling, theta, max_positions, length);
  EXPECT_EQ(all.size(), static_cast<size_t>(kPairs));
  for (size_t i = 0; i < all.size(); ++i) {
    all[i] /= std::pow(theta, -2.0 * static_cast<double>(i) / kHeadDim);
  }
  return all;
}

// Double arithmetic in another order.
constexpr double kRounding = 1e-12;

TEST(RopeScaling, DefaultAndLinear) {
  for (const double ratio : ratios({})) EXPECT_EQ(ratio, 1.0);
  for (const double ratio : ratios({.rope_type = "linear", .factor = 4.0})) {
    EXPECT_EQ(ratio, 0.25);
  }
}

// Nothing changes up to the trained length. Beyond it the fastest pair stays, and the slowest one
// is divided by s n/Lm - (s - 1): 5 for s = 2 and n = 3 Lm.
TEST(RopeScaling, Dynamic) {
  const RopeScaling scaling = {.rope_type = "dynamic", .factor = 2.0};
  EXPECT_EQ(frequencies(scaling, 10000.0, 1000, 1000), frequencies({}, 10000.0, 1000, 1000));
  EXPECT_EQ(frequencies(scaling, 10000.0, 1000, 7), frequencies({}, 10000.0, 1000, 7));
  const std::vector<double> longer = ratios(scaling, 10000.0, 1000, 3000);
  EXPECT_EQ(longer.front(), 1.0);
  EXPECT_NEAR(longer.back(), 1.0 / 5, kRounding);
  for (size_t i = 1; i < longer.size(); ++i) EXPECT_LT(longer[i], longer[i - 1]);
}

// Llama 3.1 itself.
TEST(RopeScaling, Llama3) {
  const RopeScaling scaling = {.rope_type = "llama3",
                               .factor = 8.0,
                               .original_max_position_embeddings = 8192,
                               .low_freq_factor = 1.0,
                               .high_freq_factor = 4.0};
  const std::vector<double> ratio = ratios(scaling, 500000.0, 131072, 131072);
  for (size_t i = 0; i <= 28; ++i) EXPECT_NEAR(ratio[i], 1.0, kRounding) << i;
  for (size_t i = 29; i <= 34; ++i) {
    EXPECT_LT(ratio[i], ratio[i - 1] - 0.01) << i;
    EXPECT_GT(ratio[i], 1.0 / 8 + 0.01) << i;
  }
  for (size_t i = 35; i < ratio.size(); ++i) EXPECT_NEAR(ratio[i], 1.0 / 8, kRounding) << i;
  const std::vector<double> f = frequencies(scaling, 500000.0, 131072, 131072);
  EXPECT_NEAR(f[29], 2.16657076e-3, 1e-11);
  EXPECT_NEAR(f[30], 1.37189357e-3, 1e-11);
  EXPECT_NEAR(f[35], 9.55621235e-5, 1e-13);
}

// The ramp goes from pair 20 to pair 46.
TEST(RopeScaling, Yarn) {
  RopeScaling scaling = {
      .rope_type = "yarn", .factor = 4.0, .original_max_position_embeddings = 4096};
  const std::vector<double> ratio = ratios(scaling, 10000.0, 16384);
  for (int i = 0; i < kPairs; ++i) {
    const double ramp = i <= 20 ? 0.0 : i >= 46 ? 1.0 : (i - 20) / 26.0;
    EXPECT_NEAR(ratio[i], ramp / 4 + (1 - ramp), kRounding) << i;
  }
  // The unrounded ramp starts at 20.94 and ends at 45.03.
  scaling.truncate = false;
  const std::vector<double> exact = ratios(scaling, 10000.0, 16384);
  EXPECT_EQ(exact[20], 1.0);
  EXPECT_NEAR(exact[21], 1 - 0.75 * (21 - 20.94448) / (45.02688 - 20.94448), 1e-6);
  EXPECT_NEAR(exact[46], 0.25, kRounding);
}

// So short an original length that no pair turns even once: the bounds are both 0, and the ramp a
// step between pairs 0 and 1.
TEST(RopeScaling, YarnWithoutARamp) {
  const std::vector<double> ratio =
      ratios({.rope_type = "yarn", .factor = 4.0, .original_max_position_embeddings = 6});
  EXPECT_EQ(ratio[0], 1.0);
  for (size_t i = 1; i < ratio.size(); ++i) EXPECT_NEAR(ratio[i], 0.25, kRounding);
}

TEST(RopeScaling, AttentionFactor) {
  for (const char* type : {"default", "linear", "dynamic", "llama3"}) {
    EXPECT_EQ(rope_attention_factor({.rope_type = type, .factor = 4.0, .attention_factor = 3.0}),
              1.0);
  }
  RopeScaling yarn = {.rope_type = "yarn", .factor = 4.0};
  EXPECT_NEAR(rope_attention_factor(yarn), 1.138629436, 1e-9);
  // One of the two says nothing; equal ones cancel.
  yarn.mscale = 2.0;
  EXPECT_NEAR(rope_attention_factor(yarn), 1.138629436, 1e-9);
  yarn.mscale_all_dim = 2.0;
  EXPECT_EQ(rope_attention_factor(yarn), 1.0);
  yarn.mscale_all_dim = 1.0;
  EXPECT_NEAR(rope_attention_factor(yarn), 1.277258872 / 1.138629436, 1e-9);
  yarn.attention_factor = 0.5;
  EXPECT_EQ(rope_attention_factor(yarn), 0.5);
  EXPECT_EQ(rope_attention_factor({.rope_type = "yarn", .factor = 1.0}), 1.0);
}

}  // namespace
}  // namespace cria
