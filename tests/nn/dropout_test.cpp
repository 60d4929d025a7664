// Dropout as a layer, and in the residual stream of a block.
#include "cria/nn/dropout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cria/nn/block.h"
#include "support/compare.h"
#include "support/layer_check.h"

namespace cria {
namespace {

const PassContext kDropoutPass = {.randomness = {.seed = 1, .pass = 2, .active = true}};
const PassContext kEvaluation = {.randomness = {.seed = 1, .pass = 2, .active = false}};

// What becomes of ones.
std::vector<float> factors(const Dropout& dropout, const PassContext& pass) {
  const std::vector<float> ones(1000, 1.0f);
  std::vector<float> out(ones.size());
  dropout.forward(ConstTensor(ones.data(), {1000}), Tensor(out.data(), {1000}), pass);
  return out;
}

TEST(Dropout, ZeroOrScaled) {
  const Dropout dropout("layer", 0.25);
  int64_t dropped = 0;
  for (const float factor : factors(dropout, kDropoutPass)) {
    EXPECT_TRUE(factor == 0.0f || factor == static_cast<float>(1 / 0.75)) << factor;
    dropped += factor == 0.0f;
  }
  EXPECT_NEAR(static_cast<double>(dropped), 250, 5 * std::sqrt(1000 * 0.25 * 0.75));
}

TEST(Dropout, TheMaskIsThatOfNameSeedAndPass) {
  const Dropout dropout("layer", 0.5);
  const std::vector<float> mask = factors(dropout, kDropoutPass);
  EXPECT_EQ(factors(Dropout("layer", 0.5), kDropoutPass), mask);
  EXPECT_NE(factors(Dropout("other", 0.5), kDropoutPass), mask);
  EXPECT_NE(factors(dropout, {.randomness = {.seed = 2, .pass = 2, .active = true}}), mask);
  EXPECT_NE(factors(dropout, {.randomness = {.seed = 1, .pass = 3, .active = true}}), mask);
}

TEST(Dropout, NothingHappensAtRateZeroAndOutsideOfTraining) {
  const std::vector<float> ones(1000, 1.0f);
  EXPECT_EQ(factors(Dropout("layer", 0), kDropoutPass), ones);
  EXPECT_EQ(factors(Dropout("layer", 0.5), kEvaluation), ones);
  EXPECT_EQ(factors(Dropout("layer", 0.5), {}), ones);
  EXPECT_FALSE(Dropout("layer", 0.5).is_active(kEvaluation));
  EXPECT_FALSE(Dropout().is_active(kDropoutPass));
}

TEST(Dropout, TheGradientHasTheMaskOfForward) {
  const Dropout dropout("layer", 0.3);
  const std::vector<float> ones(1000, 1.0f);
  std::vector<float> dx(ones.size());
  dropout.backward(ConstTensor(ones.data(), {1000}), kDropoutPass, Tensor(dx.data(), {1000}));
  EXPECT_EQ(dx, factors(dropout, kDropoutPass));
}

TEST(Dropout, NotARate) {
  for (const double rate : {-0.1, 1.0, 1.5, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THROW(Dropout("layer", rate), Error) << rate;
  }
}

TEST(Dropout, WrongShape) {
  std::vector<float> memory(12);
  EXPECT_THROW(
      Dropout("layer", 0.5)
          .forward(ConstTensor(memory.data(), {3}), Tensor(memory.data(), {4}), kDropoutPass),
      Error);
}

constexpr int64_t kHidden = 12, kBatch = 2, kTime = 5, kSize = kBatch * kTime * kHidden;

// A block of its own with the same weights whatever its dropout.
struct BlockRun {
  Parameters parameters;
  std::unique_ptr<Position> position;
  Block block;
  std::unique_ptr<LayerRun<Block>> run;
  std::vector<float> x = normal_values(kSize, "x"), out = std::vector<float>(kSize);

  BlockRun(double rate, const PassContext& pass)
      : position(make_position(parameters, {.name = "none", .head_dim = 6, .max_positions = 64})),
        block(parameters,
              {.name = "b",
               .layer = 0,
               .hidden_size = kHidden,
               .intermediate_size = 18,
               .heads = 2,
               .kv_heads = 1,
               .head_dim = 6,
               .rms_norm_eps = 1e-5,
               .residual_dropout = rate,
               .std = 1.0,
               .residual_std = 1.0},
              *position) {
    randomize(parameters, 0.3);
    run = std::make_unique<LayerRun<Block>>(block, kBatch, kTime, pass);
    run->forward(ConstTensor(x.data(), {kBatch, kTime, kHidden}),
                 Tensor(out.data(), {kBatch, kTime, kHidden}));
  }

  std::vector<float> middle() const {
    const Tensor& view = run->saved().middle;
    return {view.data, view.data + kSize};
  }
};

TEST(BlockDropout, Gradients) {
  BlockRun b(0.4, kDropoutPass);
  expect_layer_gradients(b.block, b.parameters, kBatch, kTime, kHidden, kHidden, kDropoutPass);
}

TEST(BlockDropout, SameBitsAsWithoutWhenNothingIsDropped) {
  const BlockRun without(0, kDropoutPass), evaluation(0.4, kEvaluation);
  EXPECT_TRUE(same_bits(evaluation.out, without.out));
  EXPECT_TRUE(same_bits(evaluation.middle(), without.middle()));
  EXPECT_FALSE(without.run->saved().dbranch);
}

// What a branch adds is dropped or scaled; what it is added to stays. Sums of two numbers near 1
// and their difference: a few roundings of 6e-8 of the numbers, which are below 10.
TEST(BlockDropout, DropsWhatIsAddedAndNotTheResidual) {
  constexpr double kTolerance = 5e-6;
  const BlockRun whole(0, kDropoutPass), thinned(0.4, kDropoutPass);
  const std::vector<float> middle = whole.middle(), thin = thinned.middle();
  int64_t dropped = 0;
  for (int64_t i = 0; i < kSize; ++i) {
    const double x = whole.x[i], added = middle[i] - x;
    if (thin[i] == whole.x[i]) {
      ++dropped;
    } else {
      EXPECT_NEAR(thin[i] - x, added / 0.6, kTolerance) << i;
    }
  }
  EXPECT_NEAR(static_cast<double>(dropped), 0.4 * kSize, 5 * std::sqrt(kSize * 0.24));
  // The MLP's branch has a mask of its own.
  int64_t both = 0, of_mlp = 0;
  for (int64_t i = 0; i < kSize; ++i) {
    of_mlp += thinned.out[i] == thin[i];
    both += thinned.out[i] == thin[i] && thin[i] == whole.x[i];
  }
  EXPECT_NEAR(static_cast<double>(of_mlp), 0.4 * kSize, 5 * std::sqrt(kSize * 0.24));
  EXPECT_NEAR(static_cast<double>(both), 0.16 * kSize, 5 * std::sqrt(kSize * 0.16 * 0.84));
}

}  // namespace
}  // namespace cria
