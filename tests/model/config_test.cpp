#include "cria/model/config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <optional>

#include "cria/base/error.h"
#include "cria/model/llama.h"
#include "support/errors.h"
#include "support/tiny_model.h"

namespace cria {
namespace {

TEST(ModelConfig, FillsInWhatIsLeftOut) {
  ModelConfig config;
  config.vocab_size = 65;
  config.hidden_size = 128;
  config.num_attention_heads = 4;
  const ModelConfig full = resolved(config, 64, "test");
  EXPECT_EQ(full.head_dim, 32);
  EXPECT_EQ(full.num_key_value_heads, 4);
  EXPECT_EQ(full.intermediate_size, 344);  // 8/3 * 128 = 341.3
  EXPECT_EQ(full.max_position_embeddings, 64);
}

TEST(ModelConfig, WhatDoesNotFitIsNamed) {
  struct Case {
    std::function<void(ModelConfig&)> change;
    const char* expected;
  };
  const Case cases[] = {
      {[](ModelConfig& c) { c.num_attention_heads = 5, c.head_dim = 0; },
       "file: model.num_attention_heads: the heads do not divide hidden_size\n  expected: a "
       "divisor of 24: 1, 2, 3, 4, 6, 8, 12, 24\n  got: 5"},
      {[](ModelConfig& c) { c.num_key_value_heads = 3; }, "a divisor of 4: 1, 2, 4\n  got: 3"},
      {[](ModelConfig& c) { c.head_dim = 5; }, "model.head_dim"},
      {[](ModelConfig& c) { c.head_dim = 258; }, "at most 256"},
      {[](ModelConfig& c) { c.vocab_size = 0; }, "model.vocab_size: not given"},
      {[](ModelConfig& c) { c.tie_word_embeddings = true, c.head_initializer_range = 0.5; },
       "model.head_initializer_range: a tied head is the embedding table, one tensor\n  expected: "
       "\"none\"\n  got: 0.5\n  hint: embedding_initializer_range is that of both"},
      {[](ModelConfig& c) { c.pad_token_id = 37; }, "expected: -1 to 36\n  got: 37"},
      {[](ModelConfig& c) { c.max_position_embeddings = 8; }, "at least data.sequence_length = 64"},
      // Padding: two names for one token.
      {[](ModelConfig& c) { c.embedding.padding_idx = 37; },
       "model.embedding.padding_idx: not a row of the table\n  expected: -37 to 36\n  got: 37"},
      {[](ModelConfig& c) { c.embedding.padding_idx = -38; }, "-37 to 36\n  got: -38"},
      {[](ModelConfig& c) { c.pad_token_id = 4, c.embedding.padding_idx = -1; },
       "model.embedding.padding_idx: pad_token_id is another token\n  expected: pad_token_id = 4\n "
       " "
       "got: 36"},
      {[](ModelConfig& c) { c.embedding.sparse = c.tie_word_embeddings = true; },
       "model.embedding.sparse: the output head gives every row of a tied table a gradient"},
      {[](ModelConfig& c) { c.embedding.sparse = c.embedding.scale_grad_by_freq = true; },
       "model.embedding.sparse: not together with scale_grad_by_freq"},
      // RoPE and its scaling.
      {[](ModelConfig& c) { c.rope_scaling.rope_type = "longrope"; },
       "model.rope_scaling.rope_type: not a kind of scaling"},
      {[](ModelConfig& c) { c.rope_scaling = {.rope_type = "linear", .factor = 0.5}; },
       "model.rope_scaling.factor: sequences do not become shorter\n  expected: at least 1.0"},
      {[](ModelConfig& c) { c.rope_scaling.rope_type = "dynamic", c.head_dim = 2; },
       "model.head_dim: dynamic scaling"},
      {[](ModelConfig& c) {
         c.rope_scaling = {.rope_type = "llama3", .low_freq_factor = 4, .high_freq_factor = 4};
       },
       "model.rope_scaling.low_freq_factor: not below high_freq_factor\n  expected: less than 4.0"},
      {[](ModelConfig& c) {
         c.rope_scaling = {.rope_type = "yarn", .beta_fast = 1, .beta_slow = 2};
       },
       "model.rope_scaling.beta_slow: not below beta_fast"},
      {[](ModelConfig& c) { c.rope_scaling.rope_type = "yarn", c.rope_theta = 1; },
       "model.rope_theta: yarn"},
      // Other encodings.
      {[](ModelConfig& c) { c.position = "sinusoidal", c.hidden_size = 27, c.head_dim = 4; },
       "model.hidden_size: sines and cosines come in pairs\n  expected: an even number"},
      {[](ModelConfig& c) { c.position = "transformer_xl", c.hidden_size = 27, c.head_dim = 4; },
       "model.hidden_size: sines and cosines"},
      {[](ModelConfig& c) { c.memory_length = 4; },
       "model.memory_length: only Transformer-XL has a memory"},
      {[](ModelConfig& c) { c.position = "t5", c.relative.num_buckets = 5; },
       "model.relative_attention_num_buckets: half of the buckets"},
      {[](ModelConfig& c) { c.position = "t5", c.relative.max_distance = 16; },
       "more than relative_attention_num_buckets / 2 = 16\n  got: 16"},
      {[](ModelConfig& c) { c.position = "deberta", c.relative.position_buckets = 5; },
       "model.position_buckets: half of the buckets"},
      {[](ModelConfig& c) { c.position = "deberta", c.relative.position_buckets = 2; },
       "0, or 4 to max_relative_positions = 120\n  got: 2"},
      {[](ModelConfig& c) {
         c.position = "deberta";
         c.relative = {.max_relative_positions = 8, .position_buckets = 10};
       },
       "0, or 4 to max_relative_positions = 8\n  got: 10"},
  };
  for (const Case& test : cases) {
    ModelConfig config = tiny_config();
    test.change(config);
    try {
      resolved(config, 64, "file: model.");
      ADD_FAILURE() << "no error: " << test.expected;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(test.expected), std::string::npos) << error.what();
    }
  }
}

TEST(ModelConfig, InitialRangesOfTableAndHead) {
  ModelConfig config = tiny_config();
  config.embedding_initializer_range = 0;
  config.head_initializer_range = 0.5;
  const ModelConfig full = resolved(config, 0, "test");
  EXPECT_EQ(full.embedding_initializer_range, 1 / std::sqrt(24.0));
  EXPECT_EQ(full.head_initializer_range, 0.5);
  EXPECT_EQ(resolved(tiny_config(), 0, "test").embedding_initializer_range, std::nullopt);
}

TEST(ModelConfig, PaddingHasTwoNames) {
  const auto both = [](int64_t pad_token_id, std::optional<int64_t> padding_idx) {
    ModelConfig config = tiny_config();
    config.pad_token_id = pad_token_id;
    config.embedding.padding_idx = padding_idx;
    const ModelConfig full = resolved(config, 0, "test");
    EXPECT_TRUE(resolved(full, 0, "test") == full);
    return std::pair(full.pad_token_id, full.embedding.padding_idx.value_or(-100));
  };
  using Names = std::pair<int64_t, int64_t>;
  EXPECT_EQ(both(-1, std::nullopt), Names(-1, -100));
  EXPECT_EQ(both(5, std::nullopt), Names(5, 5));
  EXPECT_EQ(both(-1, 5), Names(5, 5));
  EXPECT_EQ(both(-1, 0), Names(0, 0));
  EXPECT_EQ(both(-1, -1), Names(36, 36));
  EXPECT_EQ(both(0, -37), Names(0, 0));
}

TEST(ModelConfig, WhatIsDerivedForEmbeddingAndPosition) {
  ModelConfig config = tiny_config();
  config.embedding_scale = 0;
  config.rope_scaling.rope_type = "yarn";
  EXPECT_EQ(resolved(config, 0, "test").embedding_scale, std::sqrt(24.0));
  EXPECT_EQ(resolved(config, 0, "test").rope_scaling.original_max_position_embeddings, 120);
  config.rope_scaling.original_max_position_embeddings = 30;
  EXPECT_EQ(resolved(config, 0, "test").rope_scaling.original_max_position_embeddings, 30);
  config.position = "deberta";
  EXPECT_EQ(resolved(config, 0, "test").relative.max_relative_positions, 120);
  config.relative = {.max_relative_positions = 40, .position_buckets = 40};
  EXPECT_EQ(resolved(config, 0, "test").relative.max_relative_positions, 40);
}

// What cannot matter is not complained about: keys of another encoding or another kind of scaling.
TEST(ModelConfig, KeysOfWhatWasNotChosenAreIgnored) {
  ModelConfig config = tiny_config();
  config.rope_scaling = {.factor = 0.5, .low_freq_factor = 9, .beta_slow = 99};
  config.relative = {.num_buckets = 5, .max_distance = 2, .position_buckets = 3};
  EXPECT_TRUE(resolved(config, 0, "test") == config);
  config.position = "learned";
  config.head_dim = 5;
  EXPECT_TRUE(resolved(config, 0, "test") == config);
}

// Computed by hand for 1 layer, C = 4, H D = 4, F = 8, V = 10, T = 3, one token:
// weights 4*4 (q) + 2*4*4 (k, v) + 4*4 (o) + 3*4*8 = 160, head 40; attention: 2 visible keys, and
// for each 6 * 4 in every product: 2 of them, 3 with q.r, 4 with k.r too.
TEST(ModelConfig, FlopsPerToken) {
  ModelConfig config;
  config.vocab_size = 10;
  config.hidden_size = 4;
  config.intermediate_size = 8;
  config.num_hidden_layers = 1;
  config.num_attention_heads = 2;
  const auto flops = [&](const std::string& position, int64_t memory_length = 0) {
    config.position = position;
    config.memory_length = memory_length;
    return training_flops_per_token(resolved(config, 3, "test"), 3);
  };
  for (const char* position : {"rope", "learned", "sinusoidal", "alibi", "t5", "none"}) {
    EXPECT_EQ(flops(position), 6 * 200 + 2 * 2 * 24) << position;
  }
  EXPECT_EQ(flops("transformer_xl"), 6 * 200 + 2 * 3 * 24);
  EXPECT_EQ(flops("transformer_xl", 5), 6 * 200 + 7 * 3 * 24);
  EXPECT_EQ(flops("deberta"), 6 * 200 + 2 * 4 * 24);
}

// A program's numbers are checked as a file's are.
TEST(ModelConfig, EveryNumberHasItsRange) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto expect_refusal = [](auto change, const std::string& start) {
    ModelConfig config = tiny_config();
    change(config);
    for (const std::string& message : {error_of([&] { resolved(config, 0, "test: "); }),
                                       error_of([&] { Llama model(config); })}) {
      EXPECT_NE(message.find(": " + start), std::string::npos) << message;
    }
  };
  expect_refusal([](ModelConfig& c) { c.hidden_size = -4; }, "hidden_size: out of range");
  expect_refusal([](ModelConfig& c) { c.num_attention_heads = 0; },
                 "num_attention_heads: out of range");
  expect_refusal([](ModelConfig& c) { c.num_key_value_heads = -1; },
                 "num_key_value_heads: out of range");
  expect_refusal([](ModelConfig& c) { c.num_hidden_layers = 0; },
                 "num_hidden_layers: out of range");
  expect_refusal([](ModelConfig& c) { c.vocab_size = 0; }, "vocab_size: not given");
  expect_refusal([](ModelConfig& c) { c.max_position_embeddings = 0; },
                 "max_position_embeddings: not given");
  expect_refusal([=](ModelConfig& c) { c.rms_norm_eps = nan; },
                 "rms_norm_eps: out of range\n  expected: a number, 1e-30 to 1.0\n  got: nan");
  expect_refusal([](ModelConfig& c) { c.attention_dropout = 1; },
                 "attention_dropout: out of range");
  expect_refusal([](ModelConfig& c) { c.position = "ropes"; }, "position: not one of the choices");
  expect_refusal(
      [](ModelConfig& c) { c.position = "sinusoidal", c.hidden_size = 25, c.head_dim = 4; },
      "hidden_size: sines and cosines come in pairs");
}

// A model of a config that was not resolved is the one of the resolved config.
TEST(ModelConfig, AModelResolvesItsConfig) {
  ModelConfig config;
  config.vocab_size = 10;
  config.hidden_size = 16;
  config.max_position_embeddings = 8;
  EXPECT_TRUE(Llama(config).config() == resolved(config, 0, "test"));
}

}  // namespace
}  // namespace cria
