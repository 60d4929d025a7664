// Losses of tokens: those of one pass over the text, and of half a window before each in a long
// one.
#include "inference/score.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/tiny_model.h"

namespace cria {
namespace {

Llama random_model() {
  ModelConfig config = tiny_config();
  config.initializer_range = 0.2;
  Llama model(config);
  model.initialize(1);
  return model;
}

// -log p of the last of ids, from its logits. These are made by other passes than the scorer's, of
// other lengths, so the two differ by roundings of fp32: less than 1e-5 of losses of a few nats.
double last_loss(const Llama& model, const std::vector<int32_t>& ids) {
  const int64_t time = std::ssize(ids) - 1;
  Activations activations(model, Purpose::generation, 1, time);
  const ConstTensor logits = model.next_logits(activations, TokenIds(ids.data(), {1, time}));
  double sum = 0;
  for (int64_t i = 0; i < logits.size(); ++i) sum += std::exp(static_cast<double>(logits.data[i]));
  return std::log(sum) - static_cast<double>(logits.data[ids.back()]);
}

TEST(Scorer, EachTokenAfterAllBeforeIt) {
  const Llama model = random_model();
  const std::vector<int32_t> ids = random_ids(20, 37, "ids");
  Scorer scorer(model, 32);
  const std::vector<double> losses = scorer.losses(ids);
  ASSERT_EQ(losses.size(), ids.size());
  EXPECT_TRUE(std::isnan(losses[0]));
  for (size_t i = 1; i < ids.size(); ++i) {
    EXPECT_NEAR(losses[i], last_loss(model, {ids.begin(), ids.begin() + i + 1}), 1e-5) << i;
  }
  const std::vector<double> again = scorer.losses(ids);
  EXPECT_TRUE(std::equal(again.begin() + 1, again.end(), losses.begin() + 1));
}

TEST(Scorer, LongTextsInWindowsHalfOfOneApart) {
  const Llama model = random_model();
  const std::vector<int32_t> ids = random_ids(30, 37, "ids");
  constexpr size_t kWindow = 8;
  const std::vector<double> losses = Scorer(model, kWindow).losses(ids);
  for (size_t i = 1; i < ids.size(); ++i) {
    // The first window predicts 8 tokens, each later one the 4 that are new.
    const size_t first = i <= kWindow ? 0 : (i - kWindow + 3) / 4 * 4;
    EXPECT_NEAR(losses[i], last_loss(model, {ids.begin() + first, ids.begin() + i + 1}), 1e-5) << i;
  }
}

TEST(Scorer, ShortTexts) {
  const Llama model = random_model();
  Scorer scorer(model, 1);
  EXPECT_TRUE(scorer.losses({}).empty());
  const std::vector<int32_t> ids = {3, 5, 7};
  EXPECT_TRUE(std::isnan(scorer.losses(std::span(ids).first(1)).front()));
  EXPECT_NEAR(scorer.losses(ids)[2], last_loss(model, {5, 7}), 1e-5) << "a window of one token";
}

}  // namespace
}  // namespace cria
