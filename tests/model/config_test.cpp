#include "cria/model/config.h"

#include <gtest/gtest.h>

#include <functional>

#include "cria/base/error.h"
#include "cria/model/config_json.h"
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
      {[](ModelConfig& c) { c.pad_token_id = 37; }, "expected: -1 to 36\n  got: 37"},
      {[](ModelConfig& c) { c.max_position_embeddings = 8; }, "at least data.sequence_length = 64"},
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

// By hand for 1 layer, C = 4, H D = 4, F = 8, V = 10, T = 3, one token:
// weights 4*4 (q) + 2*4*4 (k, v) + 4*4 (o) + 3*4*8 = 160, head 40; attention 12 * 4 * 2 = 96.
TEST(ModelConfig, FlopsPerToken) {
  ModelConfig config;
  config.vocab_size = 10;
  config.hidden_size = 4;
  config.intermediate_size = 8;
  config.num_hidden_layers = 1;
  config.num_attention_heads = 2;
  EXPECT_EQ(training_flops_per_token(resolved(config, 3, "test"), 3), 6 * 200 + 96);
}

TEST(ModelConfig, JsonRoundTrip) {
  for (const char* position : {"rope", "none"}) {
    ModelConfig config = tiny_config();
    config.position = position;
    config.tie_word_embeddings = config.attention_bias = true;
    config.pad_token_id = 7;
    config.rope_theta = 500000.0;
    config.head_dim = 8;
    const Json json = to_json(config);
    EXPECT_EQ(json.find("model_type")->as_string(""),
              std::string(position) == "rope" ? "llama" : "cria");
    const ModelConfig back =
        model_config_from_json(Json::parse(json.dump(2), "config.json"), "config.json");
    EXPECT_TRUE(back == config) << json.dump(2);
  }
}

TEST(ModelConfig, ReadsBothFormsOfRopeAndMissingKeys) {
  const auto read = [](const std::string& text) {
    return model_config_from_json(Json::parse(text, "config.json"), "config.json");
  };
  EXPECT_EQ(read(R"({"rope_theta": 5000})").rope_theta, 5000);
  EXPECT_EQ(read(R"({"rope_scaling": null})").rope_theta, 10000);
  EXPECT_EQ(read(R"({"rope_parameters": {"rope_theta": 7.0, "rope_type": "default"}})").rope_theta,
            7);
  EXPECT_EQ(read("{}").hidden_size, 4096);
  EXPECT_EQ(read(R"({"pad_token_id": -1})").pad_token_id, -1);
}

TEST(ModelConfig, RefusesWhatItWouldComputeDifferently) {
  for (const char* text :
       {R"({"model_type": "gpt2"})", R"({"hidden_act": "gelu"})",
        R"({"rope_scaling": {"rope_type": "linear", "factor": 2.0}})",
        R"({"rope_scaling": {"type": "yarn", "factor": 2.0}})", R"({"partial_rotary_factor": 0.5})",
        R"({"hidden_size": -4})", R"({"num_hidden_layers": 1000000})", R"({"hidden_size": "128"})",
        R"([])"}) {
    EXPECT_THROW(model_config_from_json(Json::parse(text, "config.json"), "config.json"), Error)
        << text;
  }
}

}  // namespace
}  // namespace cria
