// Two-layer decoders with each position encoding, against PyTorch's float64 results.
#include <gtest/gtest.h>

#include "cria/train/gradient_check.h"
#include "support/golden_model.h"
#include "support/layer_check.h"
#include "support/tiny_model.h"

namespace cria {
namespace {

class PositionGolden : public ::testing::TestWithParam<std::string> {};

// One batch: tokens, targets [B,T]. The loss within 1e-6, every gradient within 1e-5 of its norm.
TEST_P(PositionGolden, LossAndGradients) {
  const Golden golden(GetParam());
  Llama model(golden_config(golden));
  set_parameters(model.parameters(), golden);
  const std::vector<int64_t>& shape = golden.shape("tokens");
  const int64_t batch = shape[0], time = shape[1];
  model.reserve_positions(time);
  const std::vector<int32_t> ids = golden.ints("tokens"), next = golden.ints("targets");
  const TokenIds tokens(ids.data(), {batch, time}), targets(next.data(), {batch, time});
  Activations memory(model, Purpose::training, batch, time);
  const double rows = static_cast<double>(batch * time), want = golden.floats("loss")[0];
  const double loss =
      model.loss_and_gradient(memory, tokens, targets, static_cast<float>(1 / rows)) / rows;
  EXPECT_NEAR(loss, want, 1e-6 * want);
  for (const Parameter& slot : model.parameters().slots()) {
    expect_near_norm(slot.grad, golden.floats("grad." + slot.name), 1e-5, slot.name);
  }
}

TEST_P(PositionGolden, LogitsWithACache) {
  const Golden golden(GetParam());
  Llama model(golden_config(golden));
  set_parameters(model.parameters(), golden);
  const int64_t time = golden.shape("tokens")[1];
  model.reserve_positions(time);
  expect_golden_logits(model, golden, time, time);
  // Dynamic scaling turns keys by the length at hand: beyond the trained one, those in a cache were
  // turned for another.
  if (time > model.config().max_position_embeddings) return;
  for (const int64_t prompt : {1, 60}) expect_golden_logits(model, golden, time, prompt);
}

INSTANTIATE_TEST_SUITE_P(Files, PositionGolden,
                         ::testing::Values("position_rope_linear", "position_rope_dynamic",
                                           "position_rope_yarn", "position_rope_llama3",
                                           "position_learned", "position_none"));

// Of the encodings that learn something, in a model whose weights are large enough for it to
// matter.
class PositionGradients : public ::testing::TestWithParam<std::string> {};

TEST_P(PositionGradients, FiniteDifferences) {
  ModelConfig config = tiny_config();
  config.position = GetParam();
  config.max_position_embeddings = 7;
  config.initializer_range = 0.2;
  Llama model(resolved(config, 0, "test "));
  model.initialize(1);
  for (const GradientCheck& check : check_gradients(model, 2, 7, 1)) expect_gradient(check);
}

INSTANTIATE_TEST_SUITE_P(Names, PositionGradients, ::testing::Values("learned"));

}  // namespace
}  // namespace cria
