#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cria/base/error.h"
#include "cria/optim/adamw.h"
#include "cria/optim/schedule.h"
#include "support/golden.h"

namespace cria {
namespace {

// Five steps of torch.optim.AdamW in float64.
TEST(AdamW, Golden) {
  const Golden golden("adamw");
  Parameters parameters;
  Parameter& p = parameters.add({"p", {5, 10}}, ParameterKind::matrix, {});
  parameters.allocate();
  const std::vector<float> start = golden.floats("p0"), gradients = golden.floats("g");
  std::copy(start.begin(), start.end(), p.value.data);
  const double lr = golden.number("lr");
  AdamWOptimizer optimizer(parameters, {.learning_rate = lr,
                                        .beta1 = golden.number("beta1"),
                                        .beta2 = golden.number("beta2"),
                                        .eps = golden.number("eps"),
                                        .weight_decay = golden.number("weight_decay")});
  const float* gradient = gradients.data();
  for (const char* step : {"p1", "p2", "p3", "p4", "p5"}) {
    std::copy_n(gradient, 50, p.grad.data);
    gradient += 50;
    optimizer.step(lr, 1.0);
    const std::vector<float> want = golden.floats(step);
    // Each step rounds p twice (decay, update), by 6e-8 of it; the update itself, at most a few
    // lr, carries 1e-6 of its own.
    for (int i = 0; i < 50; ++i) {
      const double rounding = 10 * 6e-8 * std::abs(want[i]) + 5 * 1e-6 * lr;
      EXPECT_NEAR(p.value.data[i], want[i], rounding) << step << ", " << i;
    }
    for (int i = 0; i < 50; ++i) EXPECT_EQ(p.grad.data[i], 0.0f);
  }
  expect_near_norm(p.m, golden.floats("m5"), 1e-6, "m");
  expect_near_norm(p.v, golden.floats("v5"), 1e-6, "v");
}

TEST(AdamW, DecaysMatricesAndEmbeddingsUnlessToldNot) {
  for (const bool decay_embeddings : {true, false}) {
    Parameters parameters;
    Parameter& matrix = parameters.add({"w", {2, 2}}, ParameterKind::matrix, {.constant = 1});
    Parameter& table = parameters.add({"e", {2, 2}}, ParameterKind::embedding, {.constant = 1});
    Parameter& norm = parameters.add({"n", {2}}, ParameterKind::norm, {.constant = 1});
    Parameter& bias = parameters.add({"b", {2}}, ParameterKind::bias, {.constant = 1});
    parameters.allocate();
    parameters.initialize(1);
    AdamWOptimizer optimizer(parameters,
                             {.weight_decay = 0.5, .decay_embeddings = decay_embeddings});
    optimizer.step(0.1, 1.0);  // no gradient: decay is all that acts
    EXPECT_FLOAT_EQ(matrix.value(0, 0), 0.95f);
    EXPECT_FLOAT_EQ(table.value(0, 0), decay_embeddings ? 0.95f : 1.0f);
    EXPECT_EQ(norm.value(0), 1.0f);
    EXPECT_EQ(bias.value(0), 1.0f);
  }
}

TEST(AdamW, NormCountsATiedTensorOnce) {
  Parameters parameters;
  Parameter& table = parameters.add({"e", {1, 2}}, ParameterKind::embedding, {});
  parameters.alias("head", table);
  parameters.allocate();
  table.grad(0, 0) = 3;
  table.grad(0, 1) = 4;
  EXPECT_DOUBLE_EQ(AdamWOptimizer(parameters, {}).gradient_norm(), 5.0);
}

TEST(ClipFactor, AsPyTorch) {
  EXPECT_DOUBLE_EQ(clip_factor(2.0, 1.0), 1.0 / (2.0 + 1e-6));
  EXPECT_EQ(clip_factor(0.5, 1.0), 1.0);
  EXPECT_EQ(clip_factor(100.0, 0.0), 1.0);
}

TEST(Schedule, EveryShapeAtItsCorners) {
  ScheduleConfig c;
  c.warmup_steps = 10;
  c.decay_steps = 110;
  c.min_lr_ratio = 0.1;
  for (const std::string& name : schedule_names()) {
    c.name = name;
    SCOPED_TRACE(name);
    EXPECT_NEAR(learning_rate_factor(c, 0), 1.0 / 11, 1e-12);
    EXPECT_NEAR(learning_rate_factor(c, 9), 10.0 / 11, 1e-12);
    EXPECT_NEAR(learning_rate_factor(c, 10), 1.0, 1e-12);
    const double end = name == "constant" ? 1.0 : 0.1;
    EXPECT_NEAR(learning_rate_factor(c, 110), end, 1e-12);
    EXPECT_NEAR(learning_rate_factor(c, 100000), end, 1e-12);
    for (int64_t step = 10; step < 200; ++step) {
      EXPECT_GE(learning_rate_factor(c, step), learning_rate_factor(c, step + 1));
    }
  }
  c.name = "cosine";
  EXPECT_NEAR(learning_rate_factor(c, 60), 0.55, 1e-12);
  EXPECT_NEAR(learning_rate_factor(c, 35), 0.1 + 0.9 * (1 + std::sqrt(0.5)) / 2, 1e-12);
  c.name = "linear";
  EXPECT_NEAR(learning_rate_factor(c, 35), 1 - 0.9 * 0.25, 1e-12);
  c.name = "wsd";  // the last fifth of 110: 22 steps
  EXPECT_EQ(learning_rate_factor(c, 88), 1.0);
  EXPECT_NEAR(learning_rate_factor(c, 99), 0.55, 1e-12);
  c.cooldown_steps = 10;
  EXPECT_EQ(learning_rate_factor(c, 100), 1.0);
  EXPECT_NEAR(learning_rate_factor(c, 105), 0.55, 1e-12);
}

TEST(Schedule, UnknownNameOffersTheNearest) {
  ScheduleConfig c;
  c.name = "cosin";
  EXPECT_THROW(learning_rate_factor(c, 0), Error);
}

}  // namespace
}  // namespace cria
