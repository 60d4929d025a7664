// Two-layer decoders with each position encoding, against PyTorch's float64 results.
#include <gtest/gtest.h>

#include "inspect/gradient_check.h"

#include "support/completion_check.h"
#include "support/golden_model.h"
#include "support/layer_check.h"
#include "support/threads.h"
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
  Activations activations(model, Purpose::training, batch, time);
  const double rows = static_cast<double>(batch * time), want = golden.floats("loss")[0];
  CompletionCheck completion(model);
  const double loss = model.loss_and_gradient(activations, tokens, targets,
                                              {.gradient_scale = static_cast<float>(1 / rows),
                                               .complete_from = completion.listen()}) /
                      rows;
  completion.expect_complete();
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

INSTANTIATE_TEST_SUITE_P(
    Files, PositionGolden,
    ::testing::Values("position_rope_linear", "position_rope_dynamic", "position_rope_yarn",
                      "position_rope_llama3", "position_learned", "position_sinusoidal",
                      "position_tied", "position_none", "position_alibi", "position_alibi_mqa",
                      "position_t5", "position_t5_per_layer", "position_transformer_xl",
                      "position_deberta", "position_deberta_buckets", "position_deberta_mha"));

// Three segments that follow each other; the gradient is the third's, with the memory that the
// others left.
TEST(TransformerXlMemory, Golden) {
  const Golden golden("position_transformer_xl_memory");
  Llama model(golden_config(golden, 13));
  set_parameters(model.parameters(), golden);
  const std::vector<int32_t> ids = golden.ints("tokens"), next = golden.ints("targets");
  const std::vector<float> losses = golden.floats("losses");
  constexpr int64_t kBatch = 2, kTime = 13, kRows = kBatch * kTime;
  const auto segment = [&](const std::vector<int32_t>& all, int64_t index) {
    return TokenIds(all.data() + index * kRows, {kBatch, kTime});
  };
  Activations activations(model, Purpose::training, kBatch, kTime);
  SegmentMemory evaluated(model.config(), kBatch), trained(model.config(), kBatch);
  for (int64_t i = 0; i < 3; ++i) {
    const double loss =
        model.loss_sum(activations, segment(ids, i), segment(next, i), {.segments = &evaluated});
    EXPECT_NEAR(loss / kRows, losses[i], 1e-6 * losses[i]) << "segment " << i;
    model.parameters().zero_gradients();
    EXPECT_EQ(model.loss_and_gradient(activations, segment(ids, i), segment(next, i),
                                      {.segments = &trained, .gradient_scale = 1.0f / kRows}),
              loss);
  }
  EXPECT_EQ(trained.length(), 20);
  for (const Parameter& slot : model.parameters().slots()) {
    expect_near_norm(slot.grad, golden.floats("grad." + slot.name), 1e-5, slot.name);
  }
}

class EveryPosition : public ::testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Families, EveryPosition, ::testing::ValuesIn(position_names()));

TEST_P(EveryPosition, FiniteDifferencesForEveryGroupSizeAndLength) {
  for (const int64_t kv_heads : {4, 2, 1}) {
    for (const int64_t time : {1, 7}) {
      SCOPED_TRACE("kv heads " + std::to_string(kv_heads) + ", time " + std::to_string(time));
      Llama model(position_config(GetParam(), kv_heads, kv_heads == 2));
      model.initialize(1);
      for (const GradientCheck& check : check_gradients(model, 2, time, 1)) {
        // One key has all the weight whatever its score is: what is computed is rounding.
        const bool rounding = time == 1 && check.norm < 1e-5 && std::abs(check.numeric) < 1e-5;
        if (!rounding) expect_gradient(check);
      }
    }
  }
}

// Logits from a cache, whatever the pieces it was filled in, are those of a pass over everything.
TEST_P(EveryPosition, CachedLogitsAreThoseOfTheFullPass) {
  for (const bool tied : {false, true}) {
    Llama model(position_config(GetParam(), 2, tied));
    model.initialize(1);
    const TokenBatch data(1, 110, 37);
    Activations full(model, Purpose::generation, 1, 120),
        cached(model, Purpose::generation, 1, 120);
    for (const int64_t piece : {1, 13, 96}) {
      cached.clear_cache();
      for (int64_t t = 0; t < 110;) {
        const int64_t count = t == 0 ? piece : 1;
        const ConstTensor some =
            model.next_logits(cached, TokenIds(data.ids.data() + t, {1, count}));
        t += count;
        if (t % 29 != 0 && t != 110) continue;
        full.clear_cache();
        const ConstTensor all = model.next_logits(full, TokenIds(data.ids.data(), {1, t}));
        expect_near_norm(some, {all.data, all.data + all.size()}, 1e-5, std::to_string(t));
      }
    }
  }
}

TEST_P(EveryPosition, SameBitsForAnyNumberOfThreads) {
  const TokenBatch data(3, 110, 37);
  std::vector<float> first;
  for (const int threads : {1, 2, 3, 5}) {
    const ThreadCount count(threads);
    Llama model(position_config(GetParam(), 2, false));
    model.initialize(1);
    Activations activations(model, Purpose::training, 3, 110);
    model.loss_and_gradient(activations, data.inputs(), data.targets(), {.gradient_scale = 0.01f});
    const float* begin = model.parameters().grad();
    const std::vector<float> gradients(begin, begin + model.parameters().plane_size());
    if (first.empty()) first = gradients;
    EXPECT_TRUE(gradients == first) << threads << " threads";
  }
}

// Beyond what it was trained on: for all but a learned table.
TEST_P(EveryPosition, LongerThanTrained) {
  Llama model(position_config(GetParam(), 2, false));
  model.initialize(1);
  if (GetParam() == "learned") {
    EXPECT_THROW(model.reserve_positions(300), Error);
    return;
  }
  model.reserve_positions(300);
  Activations activations(model, Purpose::evaluation, 1, 300);
  const TokenBatch data(1, 300, 37);
  EXPECT_TRUE(std::isfinite(model.loss_sum(activations, data.inputs(), data.targets())));
}

}  // namespace
}  // namespace cria
