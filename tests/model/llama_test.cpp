// Whole models: against PyTorch, at initialisation, on one batch, for any number of threads.
#include "cria/model/llama.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cria/optim/adamw.h"
#include "inspect/gradient_check.h"
#include "support/compare.h"
#include "support/completion_check.h"
#include "support/golden_model.h"
#include "support/layer_check.h"
#include "support/threads.h"
#include "support/tiny_model.h"

namespace cria {
namespace {

class ModelGolden : public ::testing::TestWithParam<std::string> {};

// The figures asked for: loss within 1e-6, gradients within 1e-5 of their norm, weights after ten
// steps of AdamW within 1e-5 of their norm.
TEST_P(ModelGolden, LossGradientsAndTenSteps) {
  const Golden golden(GetParam());
  Llama model(golden_config(golden, 13));
  set_parameters(model.parameters(), golden);
  EXPECT_EQ(model.parameters().find("lm_head.weight") ==
                model.parameters().find("model.embed_tokens.weight"),
            golden.flag("tie_word_embeddings"));
  const std::vector<int32_t> tokens = golden.ints("tokens"), targets = golden.ints("targets");
  const std::vector<float> losses = golden.floats("losses"), norms = golden.floats("grad_norm");
  constexpr int64_t kBatch = 3, kTime = 13, kRows = kBatch * kTime;
  Activations activations(model, Purpose::training, kBatch, kTime);
  AdamWOptimizer optimizer(model.parameters(), {.learning_rate = golden.number("lr"),
                                                .beta1 = golden.number("beta1"),
                                                .beta2 = golden.number("beta2"),
                                                .eps = golden.number("eps"),
                                                .weight_decay = golden.number("weight_decay")});
  for (int64_t step = 0; step < 10; ++step) {
    const TokenIds inputs(tokens.data() + step * kRows, {kBatch, kTime});
    const TokenIds outputs(targets.data() + step * kRows, {kBatch, kTime});
    CompletionCheck completion(model);
    const double loss = model.loss_and_gradient(activations, inputs, outputs,
                                                {.gradient_scale = 1.0f / kRows,
                                                 .complete_from = completion.listen()}) /
                        kRows;
    completion.expect_complete();
    EXPECT_NEAR(loss, losses[step], 1e-6 * losses[step]) << "step " << step;
    if (step == 0) {
      EXPECT_EQ(model.loss_sum(activations, inputs, outputs) / kRows, loss);
      for (const Parameter& slot : model.parameters().slots()) {
        expect_near_norm(slot.grad, golden.floats("grad." + slot.name), 1e-5, slot.name);
      }
    }
    const double norm = optimizer.gradient_norm();
    EXPECT_NEAR(norm, norms[step], 1e-5 * norms[step]) << "step " << step;
    optimizer.step(golden.number("lr"), clip_factor(norm, golden.number("max_grad_norm")));
  }
  for (const Parameter& slot : model.parameters().slots()) {
    expect_near_norm(slot.value, golden.floats("after." + slot.name), 1e-5, slot.name);
  }
}

TEST_P(ModelGolden, LogitsWithACacheEqualPyTorchs) {
  const Golden golden(GetParam());
  Llama model(golden_config(golden, 13));
  set_parameters(model.parameters(), golden);
  // The prompt in pieces of every size, then token by token.
  for (const int64_t prompt : {1, 5, 13}) expect_golden_logits(model, golden, 13, prompt);
}

INSTANTIATE_TEST_SUITE_P(Files, ModelGolden,
                         ::testing::Values("model_untied", "model_tied", "model_gqa",
                                           "model_bias"));

TEST(Llama, FiniteDifferences) {
  for (const bool tied : {false, true}) {
    ModelConfig config = tiny_config();
    config.tie_word_embeddings = tied;
    config.attention_bias = config.mlp_bias = true;
    // Larger than usual, so that the blocks matter against the embedding.
    config.initializer_range = 0.2;
    Llama model(config);
    model.initialize(1);
    for (const GradientCheck& check : check_gradients(model, 2, 7, 1)) expect_gradient(check);
  }
}

// At initialisation every token is about equally likely: the loss is ln V.
TEST(Llama, InitialLossIsLnV) {
  for (const int64_t hidden : {128, 288}) {
    for (const bool tied : {false, true}) {
      ModelConfig config = tiny_config();
      config.vocab_size = 1000;
      config.hidden_size = hidden;
      config.head_dim = 0;
      config.intermediate_size = 0;
      config.tie_word_embeddings = tied;
      Llama model(resolved(config, 32, "test"));
      model.initialize(1);
      Activations activations(model, Purpose::evaluation, 4, 32);
      const TokenBatch data(4, 32, 1000);
      const double loss = model.loss_sum(activations, data.inputs(), data.targets()) / 128;
      EXPECT_NEAR(loss, std::log(1000.0), 0.03 * std::log(1000.0))
          << "hidden " << hidden << (tied ? ", tied" : ", untied");
    }
  }
}

double train(Llama& model, const TokenBatch& data, int steps, double learning_rate) {
  Activations activations(model, Purpose::training, data.batch, data.time);
  AdamWOptimizer optimizer(model.parameters(), {.weight_decay = 0});
  const double rows = static_cast<double>(data.batch * data.time);
  double loss = 0;
  for (int i = 0; i < steps; ++i) {
    loss = model.loss_and_gradient(activations, data.inputs(), data.targets(),
                                   {.gradient_scale = static_cast<float>(1 / rows)}) /
           rows;
    optimizer.step(learning_rate, clip_factor(optimizer.gradient_norm(), 1.0));
  }
  return loss;
}

TEST(Llama, OverfitsOneBatch) {
  for (const bool tied : {false, true}) {
    ModelConfig config = tiny_config();
    config.tie_word_embeddings = tied;
    Llama model(config);
    model.initialize(1);
    EXPECT_LT(train(model, TokenBatch(2, 16, 37), 300, 1e-2), 0.01) << (tied ? "tied" : "untied");
  }
}

TEST(Llama, SameBitsForAnyNumberOfThreads) {
  const TokenBatch data(3, 110, 37);  // 110: more than one attention tile
  std::vector<float> first;
  double first_loss = 0;
  for (const int threads : {1, 2, 3}) {
    const ThreadCount count(threads);
    Llama model(tiny_config());
    model.initialize(1);
    const double loss = train(model, data, 3, 1e-3);
    const float* begin = model.parameters().value();
    const std::vector<float> weights(begin, begin + model.parameters().plane_size());
    if (first.empty()) {
      first = weights;
      first_loss = loss;
    }
    EXPECT_EQ(loss, first_loss) << threads << " threads";
    EXPECT_TRUE(weights == first) << threads << " threads";
  }
}

TEST(Llama, PassesSmallerThanPlannedGiveTheSame) {
  Llama model(tiny_config());
  model.initialize(1);
  const TokenBatch data(2, 9, 37);
  Activations exact(model, Purpose::training, 2, 9), roomy(model, Purpose::training, 3, 20);
  Activations shared(model, Purpose::evaluation, 4, 10);
  const double loss = model.loss_sum(exact, data.inputs(), data.targets());
  EXPECT_EQ(model.loss_sum(roomy, data.inputs(), data.targets()), loss);
  EXPECT_EQ(model.loss_sum(shared, data.inputs(), data.targets()), loss);
  EXPECT_LT(shared.bytes(), roomy.bytes());
  EXPECT_THROW(
      model.loss_sum(exact, TokenBatch(2, 10, 37).inputs(), TokenBatch(2, 10, 37).targets()),
      Error);
}

// Everything between tokens and the first block, and dropout wherever there is one.
ModelConfig config_with_all_of_the_input() {
  ModelConfig config = tiny_config();
  config.embedding_scale = 0;
  config.embedding_norm = true;
  config.embedding_dropout = config.residual_dropout = config.attention_dropout = 0.3;
  config.initializer_range = 0.2;
  return resolved(config, 0, "test");
}

TEST(Llama, FiniteDifferencesWithDropout) {
  for (const bool tied : {false, true}) {
    ModelConfig config = config_with_all_of_the_input();
    config.tie_word_embeddings = tied;
    Llama model(config);
    model.initialize(1);
    const std::vector<GradientCheck> checks = check_gradients(model, 2, 7, 1);
    EXPECT_EQ(checks[1].name, "model.embed_norm.weight");
    for (const GradientCheck& check : checks) expect_gradient(check);
  }
}

TEST(Llama, APassDropsOnlyWhenItIsTold) {
  ModelConfig config = config_with_all_of_the_input();
  Llama model(config);
  config.embedding_dropout = config.residual_dropout = config.attention_dropout = 0;
  Llama plain(config);
  model.initialize(1);
  plain.initialize(1);
  const TokenBatch data(2, 9, 37);
  Activations activations(model, Purpose::training, 2, 9), other(plain, Purpose::training, 2, 9);
  Activations shared(model, Purpose::evaluation, 2, 9);
  const auto loss = [&](uint64_t seed, uint64_t pass) {
    return model.loss_and_gradient(activations, data.inputs(), data.targets(),
                                   {.randomness = {seed, pass, true}});
  };
  const double dropped = loss(1, 0);
  EXPECT_NE(loss(1, 1), dropped);
  EXPECT_NE(loss(2, 0), dropped);
  EXPECT_EQ(loss(1, 0), dropped);
  for (Activations* const any : {&activations, &shared}) {
    EXPECT_EQ(model.loss_sum(*any, data.inputs(), data.targets(), {.randomness = {1, 0, true}}),
              dropped);
  }
  const double whole = plain.loss_and_gradient(other, data.inputs(), data.targets(), {});
  EXPECT_NE(whole, dropped);
  EXPECT_EQ(model.loss_and_gradient(activations, data.inputs(), data.targets(), {}), whole);
  for (Activations* const any : {&activations, &shared}) {
    EXPECT_EQ(model.loss_sum(*any, data.inputs(), data.targets()), whole);
  }
  Activations generation(model, Purpose::generation, 2, 9);
  Activations plain_generation(plain, Purpose::generation, 2, 9);
  const ConstTensor a = model.next_logits(generation, data.inputs());
  const ConstTensor b = plain.next_logits(plain_generation, data.inputs());
  EXPECT_TRUE(same_bits({a.data, a.data + a.size()}, {b.data, b.data + b.size()}));
}

// sqrt(hidden_size) and a number: the embedding is multiplied, the head's use of a tied table is
// not.
TEST(Llama, EmbeddingScaleIsThatOfTheTable) {
  ModelConfig config = tiny_config();
  config.embedding_scale = 0;
  Llama model(resolved(config, 0, "test"));
  config.embedding_scale = 1;
  Llama plain(config);
  model.initialize(1);
  plain.initialize(1);
  const Tensor table = plain.parameters().find("model.embed_tokens.weight")->mutable_value();
  for (int64_t i = 0; i < table.size(); ++i) table.data[i] *= std::sqrt(24.0f);
  const TokenBatch data(2, 9, 37);
  Activations activations(model, Purpose::evaluation, 2, 9),
      other(plain, Purpose::evaluation, 2, 9);
  EXPECT_EQ(model.loss_sum(activations, data.inputs(), data.targets()),
            plain.loss_sum(other, data.inputs(), data.targets()));
}

// Weights packed once for several micro-batches change nothing, and never outlive a change of the
// weights that the caller has told of.
TEST(Llama, MicroBatchesWithPackedWeightsGiveTheSameBits) {
  const TokenBatch first(2, 9, 37, "first"), second(2, 9, 37, "second");
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    std::vector<std::vector<float>> gradients;
    std::vector<double> losses;
    for (const int64_t micro_batches : {1, 2}) {
      Llama model(tiny_config(), precision);
      model.initialize(5);
      Activations activations(model, Purpose::training, 2, 9, micro_batches);
      double loss = 0;
      for (int step = 0; step < 2; ++step) {
        loss += model.loss_and_gradient(activations, first.inputs(), first.targets(),
                                        {.gradient_scale = 0.1f});
        loss += model.loss_and_gradient(activations, second.inputs(), second.targets(),
                                        {.gradient_scale = 0.1f});
        // What an optimizer does: the weights change.
        float* value = model.parameters().mutable_value();
        const float* grad = model.parameters().grad();
        for (int64_t i = 0; i < model.parameters().plane_size(); ++i) value[i] -= 0.1f * grad[i];
        loss += model.loss_sum(activations, first.inputs(), first.targets());
      }
      losses.push_back(loss);
      gradients.emplace_back(model.parameters().grad(),
                             model.parameters().grad() + model.parameters().plane_size());
    }
    EXPECT_EQ(losses[0], losses[1]);
    EXPECT_TRUE(same_bits(gradients[1], gradients[0]));
  }
}

// A forward of max_norm changes the table; tied, it is a weight of the head, packed before.
TEST(Llama, RenormalizedTablesAreNotPackedForGood) {
  const TokenBatch first(2, 9, 37, "first"), second(2, 9, 37, "second");
  ModelConfig config = tiny_config();
  config.tie_word_embeddings = true;
  config.initializer_range = 1;
  config.embedding.max_norm = 0.5;
  std::vector<std::vector<float>> gradients;
  for (const int64_t micro_batches : {1, 2}) {
    Llama model(config);
    model.initialize(5);
    Activations activations(model, Purpose::training, 2, 9, micro_batches);
    model.loss_and_gradient(activations, first.inputs(), first.targets(), {});
    model.loss_and_gradient(activations, second.inputs(), second.targets(), {});
    gradients.emplace_back(model.parameters().grad(),
                           model.parameters().grad() + model.parameters().plane_size());
  }
  EXPECT_TRUE(same_bits(gradients[1], gradients[0]));
}

TEST(Llama, GradientNeedsTrainingMemory) {
  Llama model(tiny_config());
  Activations activations(model, Purpose::evaluation, 1, 4);
  const TokenBatch data(1, 4, 37);
  EXPECT_THROW(model.loss_and_gradient(activations, data.inputs(), data.targets(), {}), Error);
}

TEST(Llama, TyingSharesStorageAndIsCountedOnce) {
  ModelConfig config = tiny_config();
  const int64_t untied = Llama(config).parameters().count();
  config.tie_word_embeddings = true;
  Llama model(config);
  EXPECT_EQ(untied - model.parameters().count(), 37 * 24);
  EXPECT_EQ(model.parameters().find("lm_head.weight"),
            model.parameters().find("model.embed_tokens.weight"));
}

// Tied and untied runs differ in the tying only: all other weights start the same.
TEST(Llama, InitialisationOfATensorDependsOnItsNameOnly) {
  ModelConfig config = tiny_config();
  Llama untied(config);
  config.tie_word_embeddings = true;
  Llama tied(config);
  untied.initialize(5);
  tied.initialize(5);
  for (const Parameter& slot : tied.parameters().slots()) {
    const Parameter* other = untied.parameters().find(slot.name);
    EXPECT_TRUE(std::equal(slot.value.data, slot.value.data + slot.value.size(), other->value.data))
        << slot.name;
  }
}

TEST(Llama, PaddingRowStaysZeroInTraining) {
  ModelConfig config = tiny_config();
  config.pad_token_id = 3;
  Llama model(resolved(config, 0, "test"));
  model.initialize(1);
  train(model, TokenBatch(2, 16, 37), 5, 1e-2);
  const ConstTensor& table = model.parameters().find("model.embed_tokens.weight")->value;
  for (int64_t c = 0; c < 24; ++c) EXPECT_EQ(table(3, c), 0.0f);
}

}  // namespace
}  // namespace cria
