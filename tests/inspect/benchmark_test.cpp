// The kernels of a step: together they do the work of the step.
#include "inspect/benchmark.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "cria/train/run_config.h"
#include "support/threads.h"

namespace cria {
namespace {

RunConfig small_config() {
  RunConfig c;
  c.model.vocab_size = 50;
  c.model.hidden_size = 24;
  c.model.intermediate_size = 40;
  c.model.num_hidden_layers = 3;
  c.model.num_attention_heads = 4;
  c.model.num_key_value_heads = 2;
  c.model.head_dim = 8;
  c.data.sequence_length = 10;
  c.train.batch_size = 2;
  c.model = resolved(c.model, c.data.sequence_length, "");
  return c;
}

StepConfig step_of(const RunConfig& config) {
  return {.batch_size = config.train.batch_size,
          .sequence_length = config.data.sequence_length,
          .optimizer = config.optimizer,
          .max_grad_norm = config.train.max_grad_norm};
}

std::map<std::string, KernelTiming> timings(const RunConfig& config) {
  const ThreadCount one(1);
  Llama model(config.model, precision_of(config.train));
  model.initialize(1);
  std::map<std::string, KernelTiming> named;
  for (const KernelTiming& timing : time_kernels(model, step_of(config))) {
    EXPECT_TRUE(named.emplace(timing.name, timing).second) << timing.name << " twice";
  }
  return named;
}

double work_of_a_step(const std::map<std::string, KernelTiming>& kernels) {
  double flops = 0;
  for (const auto& [name, k] : kernels) {
    // Four of attention's five products in backward; the recomputed scores are not the model's.
    flops += k.calls * k.flops * (name == "attention backward" ? 0.8 : 1.0);
  }
  return flops;
}

TEST(Benchmark, KernelsAddUpToTheStep) {
  for (const bool tied : {false, true}) {
    RunConfig config = small_config();
    config.model.tie_word_embeddings = tied;
    const double want =
        2 * 10 * training_flops_per_token(config.model, config.data.sequence_length);
    EXPECT_NEAR(work_of_a_step(timings(config)), want, 1e-9 * want);
  }
}

// 117 rows where the head takes at most 111 at a time: 59 and 58; a vocabulary of 150,000 in 147
// blocks of at most 1021.
TEST(Benchmark, TheHeadsLastChunkAndBlockCountInPart) {
  RunConfig config = small_config();
  config.model.vocab_size = 150000;
  config.train.batch_size = 13;
  config.data.sequence_length = 9;
  const auto kernels = timings(config);
  const double calls = 117.0 / 59 * 150000 / 1021;
  EXPECT_DOUBLE_EQ(kernels.at("lm_head forward").calls, calls);
  EXPECT_DOUBLE_EQ(kernels.at("softmax gradient").calls, calls);
  const double want = 117 * training_flops_per_token(config.model, config.data.sequence_length);
  EXPECT_NEAR(work_of_a_step(kernels), want, 1e-9 * want);
}

TEST(Benchmark, ShapesOfTheKernels) {
  const auto kernels = timings(small_config());
  for (const auto& [name, k] : kernels) {
    EXPECT_GT(k.seconds.low, 0) << name;
    EXPECT_LE(k.seconds.low, k.seconds.value) << name;
    EXPECT_LE(k.seconds.value, k.seconds.high) << name;
    EXPECT_GT(k.bytes, 0) << name;
    EXPECT_TRUE(k.precision == Precision::fp32) << name;
  }
  // N = 20, C = 24, F = 40, (H + 2K) D = 64, H D = 32; three layers.
  const auto expect = [&](const std::string& name, double calls, double flops, double floats) {
    const KernelTiming& k = kernels.at(name);
    EXPECT_EQ(k.calls, calls) << name;
    EXPECT_EQ(k.flops, flops) << name;
    EXPECT_EQ(k.bytes, 4 * floats) << name;
  };
  expect("qkv_proj forward", 3, 2 * 20 * 24 * 64, 20 * 24 + 24 * 64 + 20 * 64);
  expect("qkv_proj backward weight", 3, 2 * 20 * 24 * 64, 20 * 24 + 20 * 64 + 2 * 24 * 64);
  expect("o_proj forward", 3, 2 * 20 * 32 * 24, 20 * 32 + 32 * 24 + 2 * 20 * 24);
  expect("gate_up_proj forward", 3, 2 * 20 * 24 * 80, 20 * 24 + 24 * 80 + 20 * 80 + 20 * 40);
  expect("down_proj backward input", 3, 2 * 20 * 24 * 40, 20 * 24 + 24 * 40 + 2 * 20 * 80);
  // 55 visible pairs in each of two sequences with four heads of 8.
  expect("attention forward", 3, 2 * 4 * 55 * 4 * 8, 20 * 64 + 20 * 32 + 2 * 4 * 10);
  expect("attention backward", 3, 2 * 4 * 55 * 10 * 8, 2 * 20 * 64 + 2 * 20 * 32 + 2 * 4 * 10);
  expect("rotary inverse", 3, 0, 2 * 20 * 48 + 10 * 8);
  EXPECT_EQ(kernels.at("rms_norm backward").calls, 7);
  const double parameters = 2 * 50 * 24 + 3 * (24 * 64 + 32 * 24 + 24 * 80 + 40 * 24 + 2 * 24) + 24;
  expect("gradient norm", 1, 0, parameters);
  expect("adamw", 1, 0, 8 * parameters);
}

TEST(Benchmark, OnlyProductsAreRounded) {
  RunConfig config = small_config();
  config.train.precision = "bf16";
  config.model.position = "none";
  const auto kernels = timings(config);
  EXPECT_FALSE(kernels.contains("rotary forward"));
  std::set<std::string> rounded;
  for (const auto& [name, k] : kernels) {
    if (k.precision == Precision::bf16) rounded.insert(name.substr(0, name.find(' ')));
  }
  EXPECT_EQ(rounded, (std::set<std::string>{"qkv_proj", "o_proj", "gate_up_proj", "down_proj",
                                            "lm_head", "attention"}));
}

TEST(Benchmark, EveryStepIsTimed) {
  const ThreadCount one(1);
  const RunConfig config = small_config();
  Llama model(config.model);
  model.initialize(1);
  const std::vector<float> before(model.parameters().value(),
                                  model.parameters().value() + model.parameters().plane_size());
  const std::vector<double> seconds = time_steps(model, step_of(config), 3);
  ASSERT_EQ(seconds.size(), 3u);
  for (const double each : seconds) EXPECT_GT(each, 0);
  double change = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    change =
        std::max(change, static_cast<double>(std::abs(model.parameters().value()[i] - before[i])));
  }
  EXPECT_GT(change, 0);  // it was a whole step
}

}  // namespace
}  // namespace cria
