// Frozen parameters: no gradient for them, the same for all others, less work.
#include "model/frozen.h"

#include <gtest/gtest.h>

#include <cstring>

#include "cria/model/llama.h"
#include "support/compare.h"
#include "support/tiny_model.h"

namespace cria {
namespace {

// Gradients of two micro-batches, with some parameters frozen.
template <class IsFrozen>
std::vector<std::vector<float>> gradients(const ModelConfig& config, IsFrozen&& is_frozen) {
  Llama model(config);
  model.initialize(1);
  for (Parameter& slot : model.parameters().slots()) slot.frozen = is_frozen(slot.name);
  const TokenBatch batch(2, 17, config.vocab_size);
  Activations activations(model, Purpose::training, 2, 17, 2);
  for (int i = 0; i < 2; ++i) {
    model.loss_and_gradient(activations, batch.inputs(), batch.targets(), {});
  }
  std::vector<std::vector<float>> all;
  for (const Parameter& slot : model.parameters().slots()) {
    all.emplace_back(slot.grad.data, slot.grad.data + slot.grad.size());
  }
  return all;
}

ModelConfig with_biases(ModelConfig config) {
  config.attention_bias = config.mlp_bias = config.embedding_norm = true;
  return config;
}

// Freezes what names contain each of these in turn, down to a single tensor. The gradients of the
// whole model are PyTorch's (llama_test, positions_test).
TEST(Frozen, OthersKeepTheirGradients) {
  for (const std::string& position : position_names()) {
    for (const bool tied : {false, true}) {
      const ModelConfig config = with_biases(position_config(position, 2, tied));
      const auto whole = gradients(config, [](const std::string&) { return false; });
      const Llama shapes(config, Precision::fp32, Planes::none);
      std::vector<std::string> parts = {"layers.0.", "layers.1.", "layers.",   "embed", "q_proj",
                                        "norm",      "bias",      "self_attn", "mlp.",  "model."};
      for (const Parameter& slot : shapes.parameters().slots()) parts.push_back(slot.name);
      for (const std::string& part : parts) {
        SCOPED_TRACE(position + (tied ? ", tied, " : ", untied, ") + part);
        const auto is_frozen = [&](const std::string& name) {
          return name.find(part) != name.npos;
        };
        const auto got = gradients(config, is_frozen);
        for (size_t i = 0; i < got.size(); ++i) {
          const Parameter& slot = shapes.parameters().slots()[i];
          if (is_frozen(slot.name)) {
            EXPECT_EQ(std::ranges::count(got[i], 0.0f), slot.value.size()) << slot.name;
          } else {
            // Of outputs that are multiplied one by one too, as a product does not cut its sums.
            EXPECT_TRUE(same_bits(got[i], whole[i])) << slot.name;
          }
        }
      }
    }
  }
}

TEST(Frozen, BackwardEndsAboveWhatIsFrozen) {
  const ModelConfig config = tiny_config();
  Llama model(config, Precision::fp32, Planes::none);
  const auto freeze = [&](const std::string& part) {
    for (Parameter& slot : model.parameters().slots()) {
      if (slot.name.find(part) != slot.name.npos) slot.frozen = true;
    }
    return lowest_trained_block(model.parameters(), 2);
  };
  EXPECT_EQ(freeze("nothing"), -1);
  EXPECT_EQ(freeze("layers.0."), -1);
  EXPECT_EQ(freeze("embed_tokens"), 1);
  EXPECT_EQ(freeze("layers.1.mlp"), 1);
  EXPECT_EQ(freeze("layers.1."), 2);
  EXPECT_EQ(freeze("model.norm"), 2);
  EXPECT_EQ(freeze("lm_head"), 2);
}

TEST(Frozen, WhatIsSparedIsCounted) {
  const ModelConfig config = tiny_config();
  const int64_t time = 20;
  const double full = training_flops_per_token(config, time);
  const auto flops = [&](const std::vector<std::string>& parts) {
    Llama model(config, Precision::fp32, Planes::none);
    for (Parameter& slot : model.parameters().slots()) {
      for (const std::string& part : parts) {
        if (slot.name.find(part) != slot.name.npos) slot.frozen = true;
      }
    }
    return training_flops_per_token(config, model.parameters(), time);
  };
  const double head = 2.0 * 37 * 24, block = (full - 3 * head) / 2;
  EXPECT_DOUBLE_EQ(flops({}), full);
  EXPECT_DOUBLE_EQ(flops({"norm"}), full);
  EXPECT_DOUBLE_EQ(flops({"lm_head"}), full - head);
  EXPECT_DOUBLE_EQ(flops({"layers.0.self_attn.q_proj"}), full - 2 * 24 * 24);
  EXPECT_DOUBLE_EQ(flops({"layers.1.mlp"}), full - 2 * 3 * 24 * 40);
  // Below the second block nothing is learned: of the first, forward is left.
  EXPECT_DOUBLE_EQ(flops({"embed_tokens", "layers.0."}), full - block * 2 / 3);
  EXPECT_DOUBLE_EQ(flops({"model."}), full - 2 * block * 2 / 3);
}

}  // namespace
}  // namespace cria
