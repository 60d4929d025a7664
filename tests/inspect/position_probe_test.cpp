// What a probe finds of each encoding, against the formulas of their papers.
#include "inspect/position_probe.h"

#include <gtest/gtest.h>

#include <cmath>

#include "position/distance_bias.h"
#include "support/errors.h"

namespace cria {
namespace {

constexpr int64_t kProbed = 40;

// Tolerances of 1e-6: the probe's numbers are fp32 of about 1, rounded to 6e-8 a few times.

Llama model_with(const std::string& position, const RopeScaling& scaling = {}) {
  ModelConfig config;
  config.vocab_size = 3;
  config.hidden_size = 16;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 8;
  config.position = position;
  config.rope_scaling = scaling;
  Llama model(resolved(config, kProbed, ""));
  model.initialize(1);
  return model;
}

TEST(PositionProbe, SinusoidsAreAdded) {
  Llama model = model_with("sinusoidal");
  const PositionProbe probe(model, kProbed);
  EXPECT_TRUE(probe.adds());
  EXPECT_FALSE(probe.turns() || probe.has_bias() || probe.has_keys());
  double sum = 0;
  for (int64_t i = 0; i < 8; ++i) {
    const double frequency = std::pow(10000, -static_cast<double>(i) / 8);
    EXPECT_NEAR(probe.added(7, 2 * i), std::sin(7 * frequency), 1e-6);
    EXPECT_NEAR(probe.added(7, 2 * i + 1), std::cos(7 * frequency), 1e-6);
    sum += std::cos(5 * frequency);
  }
  // Of the distance alone: sin a sin b + cos a cos b = cos(a - b).
  EXPECT_NEAR(probe.likeness(3, 8), sum / 8, 1e-6);
  EXPECT_NEAR(probe.likeness(30, 25), sum / 8, 1e-6);
}

TEST(PositionProbe, RotaryTurns) {
  const RopeScaling yarn = {.rope_type = "yarn", .factor = 2};
  for (const RopeScaling& scaling : {RopeScaling{}, yarn}) {
    Llama model = model_with("rope", scaling);
    const PositionProbe probe(model, kProbed);
    EXPECT_TRUE(probe.turns());
    EXPECT_FALSE(probe.adds() || probe.has_bias() || probe.has_keys());
    const RopeScaling& resolved = model.config().rope_scaling;
    const std::vector<double> frequencies = rope_frequencies(resolved, 8, 10000, kProbed, kProbed);
    double sum = 0;
    for (int64_t i = 0; i < 4; ++i) {
      EXPECT_NEAR(probe.cosine(9, i),
                  rope_attention_factor(resolved) * std::cos(9 * frequencies[i]), 1e-6);
      sum += std::cos(6 * frequencies[i]);
    }
    EXPECT_NEAR(probe.likeness(11, 5), sum / 4, 1e-6);
    EXPECT_NEAR(probe.likeness(4, 4), 1, 1e-6);
  }
}

TEST(PositionProbe, BiasesAreByDistance) {
  Llama alibi = model_with("alibi"), t5 = model_with("t5");
  const PositionProbe falling(alibi, kProbed), learned(t5, kProbed);
  const ConstTensor table = t5.parameters().find("model.relative_attention_bias.weight")->value;
  double sum = 0;
  for (int64_t h = 0; h < 4; ++h) {
    EXPECT_NEAR(falling.bias(h, 10), -10 * alibi_slopes(4)[h], 1e-6);
    EXPECT_EQ(learned.bias(h, 39), table(t5_bucket(39, 32, 128), h));
    sum += falling.bias(h, 3);
  }
  EXPECT_NEAR(falling.likeness(7, 4), sum / 4, 1e-9);
  for (const PositionProbe* const probe : {&falling, &learned}) {
    EXPECT_TRUE(probe->has_bias());
    EXPECT_FALSE(probe->adds() || probe->turns() || probe->has_keys());
  }
}

// u and v change queries, but the same way everywhere: that is no turn.
TEST(PositionProbe, RelativeKeysAreOfTheDistance) {
  for (const std::string name : {"transformer_xl", "deberta"}) {
    Llama model = model_with(name);
    const PositionProbe probe(model, kProbed);
    EXPECT_TRUE(probe.has_keys()) << name;
    EXPECT_FALSE(probe.adds() || probe.turns()) << name;
    EXPECT_EQ(probe.has_bias(), name == "transformer_xl");
    EXPECT_NEAR(probe.likeness(20, 20), 1, 1e-6) << name;
    EXPECT_EQ(probe.likeness(20, 3), probe.likeness(3, 20)) << name;
    // Sines of neighbours are alike; rows of a random table have a cosine of about 0.
    const bool is_smooth = probe.likeness(20, 21) > 0.9;
    EXPECT_EQ(is_smooth, name == "transformer_xl") << probe.likeness(20, 21);
  }
}

TEST(PositionProbe, LearnedAndNone) {
  Llama learned = model_with("learned"), none = model_with("none");
  const ConstTensor table = learned.parameters().find("model.embed_positions.weight")->value;
  EXPECT_EQ(PositionProbe(learned, kProbed).added(6, 5), table(6, 5));
  EXPECT_TRUE(
      contains(error_of([&] { PositionProbe(learned, kProbed + 1); }), "learned positions"));
  const PositionProbe nothing(none, kProbed);
  EXPECT_FALSE(nothing.adds() || nothing.turns() || nothing.has_bias() || nothing.has_keys());
  EXPECT_EQ(nothing.likeness(1, 2), 0);
}

}  // namespace
}  // namespace cria
