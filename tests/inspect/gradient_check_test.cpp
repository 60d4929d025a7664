// The gradient check itself: it accepts what is right and finds what is wrong.
#include "inspect/gradient_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "support/compare.h"
#include "support/layer_check.h"
#include "support/threads.h"
#include "support/tiny_model.h"

namespace cria {
namespace {

// loss = sum a_i tanh(w_i), with dloss/dw_i = a_i (1 - tanh(w_i)^2); w is a matrix [12, 8].
class GradientCheckTest : public ::testing::Test {
 protected:
  static constexpr int64_t kRows = 12, kColumns = 8;

  GradientCheckTest() {
    for (size_t i = 0; i < w_.size(); ++i) {
      const double t = std::tanh(static_cast<double>(w_[i]));
      right_.push_back(static_cast<float>(a_[i] * (1 - t * t)));
    }
  }

  double loss() const {
    double total = 0;
    for (size_t i = 0; i < w_.size(); ++i) total += a_[i] * std::tanh(static_cast<double>(w_[i]));
    return total;
  }

  GradientCheck check(const std::vector<float>& gradient, uint64_t seed) {
    return check_gradient(
        "w", Tensor(w_.data(), {kRows, kColumns}), ConstTensor(gradient.data(), {kRows, kColumns}),
        [&] { return loss(); }, seed);
  }

  // The largest error along a few directions. One direction of n dimensions sees about 1/sqrt(n)
  // of an error that is perpendicular to the gradient, and now and then next to nothing.
  double worst(const std::vector<float>& gradient) {
    double error = 0;
    for (uint64_t seed = 1; seed <= 8; ++seed) {
      error = std::max(error, check(gradient, seed).error);
    }
    return error;
  }

  double norm() const {
    double square = 0;
    for (const float g : right_) square += static_cast<double>(g) * g;
    return std::sqrt(square);
  }

  std::vector<float> w_ = normal_values(kRows * kColumns, "w");
  std::vector<float> a_ = normal_values(kRows * kColumns, "a");
  std::vector<float> right_;
};

// The losses are computed in double here: what is left is the rounding of w +- h d to fp32.
TEST_F(GradientCheckTest, AcceptsTheRightGradient) {
  EXPECT_LT(worst(right_), 2e-5);
}

TEST_F(GradientCheckTest, ReportsWhatItCompared) {
  const std::vector<float> before = w_;
  const GradientCheck result = check(right_, 1);
  EXPECT_EQ(result.name, "w");
  EXPECT_EQ(result.shape, "[12, 8]");
  EXPECT_NEAR(result.norm, norm(), 1e-6 * norm());
  // Half of the direction is the gradient's own.
  EXPECT_GT(result.analytic, 0.5 * result.norm);
  EXPECT_NEAR(result.error, std::abs(result.analytic - result.numeric) / result.norm, 1e-12);
  EXPECT_TRUE(same_bits(w_, before)) << "the values are restored";
}

TEST_F(GradientCheckTest, FindsAWrongScale) {
  for (const float scale : {0.9f, 0.98f, 1.1f, 2.0f, -1.0f}) {
    std::vector<float> wrong = right_;
    for (float& g : wrong) g *= scale;
    for (uint64_t seed = 1; seed <= 8; ++seed) {
      EXPECT_GT(check(wrong, seed).error, kGradientTolerance) << scale << ", seed " << seed;
    }
  }
}

TEST_F(GradientCheckTest, FindsAMissingRow) {
  for (int64_t row = 0; row < kRows; ++row) {
    std::vector<float> wrong = right_;
    std::fill_n(wrong.begin() + row * kColumns, kColumns, 0.0f);
    EXPECT_GT(worst(wrong), kGradientTolerance) << "row " << row;
  }
}

TEST_F(GradientCheckTest, FindsWhatDoesNotBelong) {
  for (int64_t i = 0; i < kRows; ++i) {
    std::vector<float> wrong = right_;
    wrong[i * kColumns] += static_cast<float>(0.3 * norm());
    EXPECT_GT(worst(wrong), kGradientTolerance) << "row " << i;
  }
}

// Five percent of the gradient's norm, anywhere.
TEST_F(GradientCheckTest, FindsARandomError) {
  for (int trial = 0; trial < 10; ++trial) {
    const std::vector<float> noise =
        normal_values(kRows * kColumns, "noise" + std::to_string(trial));
    double square = 0;
    for (const float x : noise) square += static_cast<double>(x) * x;
    std::vector<float> wrong = right_;
    for (size_t i = 0; i < wrong.size(); ++i) {
      wrong[i] += static_cast<float>(0.05 * norm() * noise[i] / std::sqrt(square));
    }
    EXPECT_GT(worst(wrong), kGradientTolerance) << "trial " << trial;
  }
}

TEST_F(GradientCheckTest, AGradientOfZero) {
  const GradientCheck missing = check(std::vector<float>(w_.size(), 0.0f), 1);
  EXPECT_EQ(missing.norm, 0);
  EXPECT_EQ(missing.analytic, 0);
  EXPECT_EQ(missing.error, std::abs(missing.numeric));
  EXPECT_GT(missing.error, kGradientTolerance);
  // It is right where nothing depends on w.
  std::fill(a_.begin(), a_.end(), 0.0f);
  EXPECT_EQ(check(std::vector<float>(w_.size(), 0.0f), 1).error, 0);
}

TEST(GradientCheck, EveryParameterOfAModel) {
  const ThreadCount one(1);  // so small a model only waits for others
  ModelConfig config = tiny_config();
  config.initializer_range = 0.2;  // so that the blocks matter against the embedding
  Llama model(config);
  model.initialize(1);
  Parameters& parameters = model.parameters();
  const int64_t size = parameters.plane_size();
  const std::vector<float> before(parameters.value(), parameters.value() + size);
  parameters.grad()[5] = 1.0f;  // left over from something else
  const std::vector<GradientCheck> checks = check_gradients(model, 2, 7, 1);
  ASSERT_EQ(checks.size(), parameters.slots().size());
  for (size_t i = 0; i < checks.size(); ++i) {
    EXPECT_EQ(checks[i].name, parameters.slots()[i].name);
    expect_gradient(checks[i]);
  }
  EXPECT_TRUE(same_bits({parameters.value(), parameters.value() + size}, before));
  EXPECT_TRUE(
      std::all_of(parameters.grad(), parameters.grad() + size, [](float g) { return g == 0.0f; }));
}

TEST(GradientCheck, LeavesOutWhatIsFrozenAndForgetsTouchedRows) {
  const ThreadCount one(1);
  Llama model(tiny_config());
  model.initialize(1);
  Parameters& parameters = model.parameters();
  parameters.find("model.norm.weight")->frozen = true;
  Parameter& table = *parameters.find("model.embed_tokens.weight");
  table.touched = std::make_unique<TouchedRows>(table.value.shape[0]);
  table.touched->add(0);  // left over from something else
  const std::vector<GradientCheck> checks = check_gradients(model, 2, 7, 1);
  EXPECT_EQ(checks.size(), parameters.slots().size() - 1);
  for (const GradientCheck& check : checks) EXPECT_NE(check.name, "model.norm.weight");
  EXPECT_TRUE(table.touched->rows().empty());
}

// A loss that is much more curved than it is steep: steps that suit the gradient's size are too
// long. 0.01 is what `cria gradcheck` allows.
TEST(GradientCheck, StepsSuitTheCurvature) {
  std::vector<float> w = {0.3f, -0.2f};
  const auto loss = [&] { return 1 + std::sin(200.0 * static_cast<double>(w[0])) / 200; };
  const float slope = static_cast<float>(std::cos(200.0 * static_cast<double>(w[0])));
  const std::vector<float> right = {slope, 0.0f}, wrong = {1.05f * slope, 0.0f};
  const auto check = [&](const std::vector<float>& gradient) {
    return check_gradient("w", Tensor(w.data(), {2}), ConstTensor(gradient.data(), {2}), loss, 1);
  };
  EXPECT_LT(check(right).error, kGradientTolerance);
  EXPECT_EQ(check(right).verdict(0.01), GradientCheck::Verdict::ok);
  EXPECT_EQ(check(wrong).verdict(0.01), GradientCheck::Verdict::wrong);
}

TEST(GradientCheck, Verdicts) {
  using Verdict = GradientCheck::Verdict;
  const auto verdict = [](double error, double uncertainty) {
    return GradientCheck{.name = "",
                         .shape = "",
                         .norm = 1,
                         .analytic = 1,
                         .numeric = 1,
                         .error = error,
                         .uncertainty = uncertainty}
        .verdict(0.01);
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(verdict(0.01, 1), Verdict::ok);
  EXPECT_EQ(verdict(0.1, 0.05), Verdict::unclear);
  EXPECT_EQ(verdict(0.3, 0.05), Verdict::wrong);
  EXPECT_EQ(verdict(0.0105, 0.001), Verdict::wrong) << "the differences have settled";
  EXPECT_EQ(verdict(nan, 0.001), Verdict::wrong);
  EXPECT_EQ(verdict(nan, nan), Verdict::wrong);
}

// N(0, 1) in a tied table: logits of some fifty, and a loss that is all corners.
TEST(GradientCheck, ATiedTableOfLargeNumbers) {
  const ThreadCount one(1);
  ModelConfig config = tiny_config();
  config.tie_word_embeddings = true;
  config.initializer_range = 1.0;
  Llama model(resolved(config, 0, "test"));
  model.initialize(1);
  for (const GradientCheck& check : check_gradients(model, 2, 16, 1)) {
    EXPECT_NE(check.verdict(0.01), GradientCheck::Verdict::wrong)
        << check.name << " analytic " << check.analytic << ", numeric " << check.numeric << " +- "
        << check.uncertainty * check.norm;
  }
}

}  // namespace
}  // namespace cria
