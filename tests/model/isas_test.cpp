// The same training run with every instruction set.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "cria/model/llama.h"
#include "cria/optim/adamw.h"
#include "support/isas.h"
#include "support/threads.h"
#include "support/tiny_model.h"

namespace cria {
namespace {

// More than one tile of attention (96), block of rows (96), and block of K (384 numbers, 768 as
// bf16 pairs: the head's dx = dz W is a sum over the vocabulary).
ModelConfig config() {
  ModelConfig config;
  config.vocab_size = 800;
  config.hidden_size = 96;
  config.intermediate_size = 256;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.max_position_embeddings = 160;
  return resolved(config, 0, "test");
}

// The loss of each of 20 optimizer steps on one batch.
std::vector<double> losses(Precision precision, int threads) {
  const ThreadCount scope(threads);
  const ModelConfig shape = config();
  Llama model(shape, precision);
  model.initialize(1);
  const TokenBatch data(2, 160, shape.vocab_size);
  Activations activations(model, Purpose::training, data.batch, data.time);
  AdamWOptimizer optimizer(model.parameters(), {});
  constexpr double kRows = 2 * 160;
  std::vector<double> all;
  for (int step = 0; step < 20; ++step) {
    all.push_back(model.loss_and_gradient(activations, data.inputs(), data.targets(),
                                          {.gradient_scale = static_cast<float>(1 / kRows)}) /
                  kRows);
    optimizer.step(3e-4, clip_factor(optimizer.gradient_norm(), 1.0));
  }
  return all;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(a[i] - b[i]) / std::abs(b[i]));
  }
  return largest;
}

class TrainingTest : public IsaTest {};
CRIA_ON_EVERY_ISA(TrainingTest);

TEST_P(TrainingTest, SameBitsForAnyNumberOfThreads) {
  const std::vector<double> one = losses(Precision::fp32, 1);
  for (const int threads : {2, 3}) EXPECT_EQ(losses(Precision::fp32, threads), one) << threads;
}

// Every instruction set against portable.
void expect_near_portable(Precision precision, double tolerance) {
  const auto losses_on = [&](const std::string& isa) {
    const IsaInUse scope(isa);
    return losses(precision, 1);
  };
  const std::vector<double> portable = losses_on("portable");
  EXPECT_LT(portable.back(), 0.9 * portable.front());  // it does train
  for (const std::string& isa : available_isas()) {
    EXPECT_LT(largest_difference(losses_on(isa), portable), tolerance) << isa;
  }
}

// Sums of a few hundred terms in another order, with or without fused multiply-add, differ by 1e-7
// or so of their size; the loss is the mean of 320 rows, and twenty steps add to it. Seen: 2e-8.
TEST(Training, SameLossesOnEveryIsa) {
  expect_near_portable(Precision::fp32, 1e-6);
}

// A factor that fp32's differences move across a tie between two bf16 numbers changes by 2^-8 of
// itself. At worst the roundings of two instruction sets are as good as independent: each product
// then differs by about 2^-9, a logit by a few times that (several layers), and the mean over 320
// rows by 1/18 of it: 4e-4 of the logits, which are less than 1 where the loss is above 5. So 1e-4
// of the loss is what roundings may do. Seen: 2e-5, as much as between bf16 and fp32.
TEST(Training, SameLossesOnEveryIsaInBf16) {
  expect_near_portable(Precision::bf16, 1e-4);
}

// The precision is what was asked for, on every instruction set: fp32's own differences are 2e-8.
TEST_P(TrainingTest, Bf16IsAnotherRun) {
  EXPECT_GT(largest_difference(losses(Precision::bf16, 1), losses(Precision::fp32, 1)), 2e-6);
}

}  // namespace
}  // namespace cria
