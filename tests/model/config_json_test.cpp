#include "model/config_json.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "cria/base/error.h"
#include "support/tiny_model.h"

namespace cria {
namespace {

ModelConfig read(const std::string& text) {
  return model_config_from_json(Json::parse(text, "config.json"), "config.json");
}

std::string error_of_reading(const std::string& text) {
  try {
    read(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

std::string model_type(const Json& json) {
  return json.find("model_type")->as_string("");
}

using Change = std::function<void(ModelConfig&)>;

// tiny_config() changed and resolved, as JSON; it reads back as the same config.
Json round_trip(const Change& change) {
  ModelConfig config = tiny_config();
  change(config);
  config = resolved(config, 0, "test ");
  const Json json = to_json(config);
  EXPECT_TRUE(read(json.dump(2)) == config) << json.dump(2);
  return json;
}

TEST(ConfigJson, WhatLlamaCanExpressIsLlama) {
  const Change changes[] = {
      [](ModelConfig&) {},
      [](ModelConfig& c) {
        c.tie_word_embeddings = c.attention_bias = c.mlp_bias = true;
        c.embedding.padding_idx = -1;
        c.rope_theta = 500000.0;
        c.head_dim = 8;
      },
      [](ModelConfig& c) { c.attention_dropout = 0.1; },
      [](ModelConfig& c) {
        c.embedding_initializer_range = 1.0, c.head_initializer_range = 0.0;
        c.logit_scale = 0.5, c.embedding.gradient_scale = 0.25;
      },
      [](ModelConfig& c) { c.embedding_dropout = 0.2, c.residual_dropout = 0.3; },
      [](ModelConfig& c) { c.rope_scaling = {.rope_type = "linear", .factor = 2.5}; },
      [](ModelConfig& c) { c.rope_scaling = {.rope_type = "dynamic", .factor = 3}; },
      [](ModelConfig& c) { c.rope_scaling = {.rope_type = "yarn", .factor = 4}; },
      [](ModelConfig& c) {
        c.rope_scaling = {.rope_type = "yarn",
                          .factor = 4,
                          .original_max_position_embeddings = 30,
                          .beta_fast = 16,
                          .beta_slow = 2,
                          .truncate = false,
                          .attention_factor = 1.5,
                          .mscale = 0.5,
                          .mscale_all_dim = 0.25};
      },
      [](ModelConfig& c) {
        c.rope_scaling = {.rope_type = "llama3",
                          .factor = 8,
                          .original_max_position_embeddings = 16,
                          .low_freq_factor = 2,
                          .high_freq_factor = 5};
      },
  };
  for (const Change& change : changes) {
    const Json json = round_trip(change);
    EXPECT_EQ(model_type(json), "llama");
    EXPECT_EQ(json.find("architectures")->dump(), "[\"LlamaForCausalLM\"]");
    EXPECT_EQ(json.find("position"), nullptr);
  }
}

TEST(ConfigJson, AnythingElseIsCria) {
  // What each writes in addition to the keys of a Llama without RoPE.
  const std::pair<Change, std::string> changes[] = {
      {[](ModelConfig& c) { c.position = "none"; }, R"({"position":"none"})"},
      {[](ModelConfig& c) { c.position = "learned"; }, R"({"position":"learned"})"},
      {[](ModelConfig& c) { c.position = "sinusoidal"; }, R"({"position":"sinusoidal"})"},
      {[](ModelConfig& c) { c.position = "alibi"; }, R"({"position":"alibi"})"},
      {[](ModelConfig& c) {
         c.position = "t5";
         c.relative = {.num_buckets = 8, .max_distance = 40, .per_layer = true};
       },
       R"({"position":"t5","relative_attention_num_buckets":8,)"
       R"("relative_attention_max_distance":40,"relative_attention_per_layer":true})"},
      {[](ModelConfig& c) { c.position = "transformer_xl", c.memory_length = 20; },
       R"({"position":"transformer_xl","memory_length":20})"},
      {[](ModelConfig& c) { c.position = "deberta", c.relative.position_buckets = 16; },
       R"({"position":"deberta","max_relative_positions":120,"position_buckets":16})"},
      {[](ModelConfig& c) { c.embedding_scale = 3.5; },
       R"({"embedding_scale":3.5,"position":"rope","rope_theta":10000.0,)"
       R"("rope_parameters":{"rope_type":"default","rope_theta":10000.0}})"},
      {[](ModelConfig& c) { c.embedding_norm = true, c.position = "none"; },
       R"({"embedding_norm":true,"position":"none"})"},
      {[](ModelConfig& c) { c.embedding.max_norm = 2, c.position = "none"; },
       R"({"embedding_max_norm":2.0,"embedding_norm_type":2.0,"position":"none"})"},
      {[](ModelConfig& c) {
         c.embedding.max_norm = 0;
         c.embedding.norm_type = std::numeric_limits<double>::infinity();
         c.position = "none";
       },
       R"({"embedding_max_norm":0.0,"embedding_norm_type":"inf","position":"none"})"},
  };
  Json llama = to_json(tiny_config());
  for (const auto& [change, added] : changes) {
    const Json json = round_trip(change);
    EXPECT_EQ(model_type(json), "cria");
    EXPECT_EQ(json.find("architectures")->dump(), "[\"CriaForCausalLM\"]");
    Json more;
    for (const auto& [key, value] : json.as_object("json")) {
      const bool is_rope = key.starts_with("rope");
      if (!llama.find(key) || is_rope) more.set(key, value);
    }
    Json wanted = Json::parse(added, "wanted");
    for (const auto& [key, value] : wanted.as_object("wanted")) {
      EXPECT_TRUE(more.find(key) && *more.find(key) == value) << key << " in " << more.dump();
    }
    // The two that are always there.
    const size_t always = !wanted.find("embedding_scale") + !wanted.find("embedding_norm");
    EXPECT_EQ(more.as_object("more").size(), wanted.as_object("wanted").size() + always)
        << more.dump();
  }
}

// They change nothing in a trained model: each is the same config.json.
// Hugging Face's Llama wants heads that divide hidden_size, whatever head_dim says.
TEST(ConfigJson, HeadsThatDoNotDivideAreCria) {
  ModelConfig config = tiny_config();
  config.num_attention_heads = 5;
  config.num_key_value_heads = 5;
  config = resolved(config, 0, "test");
  EXPECT_EQ(difference_from_llama(config)->key, "num_attention_heads");
  EXPECT_EQ(*to_json(config).find("model_type"), Json("cria"));
  EXPECT_EQ(model_config_from_json(to_json(config), "config.json"), config);
}

TEST(ConfigJson, WhatConcernsTheRunIsNotWritten) {
  ModelConfig config = tiny_config();
  const Json plain = to_json(config);
  config.embedding.sparse = config.embedding.freeze = config.scale_residual_init = true;
  config.embedding_pretrained = "table.npy";
  EXPECT_EQ(to_json(config).dump(), plain.dump());
  config.embedding = {};
  config.embedding.scale_grad_by_freq = true;
  EXPECT_EQ(to_json(config).dump(), plain.dump());
}

// transformers 4 reads rope_theta and rope_scaling, 5 reads rope_parameters.
TEST(ConfigJson, ScaledRopeIsWrittenForOldAndNewReaders) {
  const Json plain = to_json(tiny_config());
  EXPECT_EQ(plain.find("rope_scaling"), nullptr);
  const auto object = [](const RopeScaling& scaling, const char* key) {
    return round_trip([&](ModelConfig& c) { c.rope_scaling = scaling; }).find(key)->dump();
  };
  const RopeScaling linear = {.rope_type = "linear", .factor = 2};
  EXPECT_EQ(object(linear, "rope_scaling"), R"({"rope_type":"linear","factor":2.0})");
  EXPECT_EQ(object(linear, "rope_parameters"),
            R"({"rope_type":"linear","factor":2.0,"rope_theta":10000.0})");
  const RopeScaling llama3 = {.rope_type = "llama3", .factor = 8};
  EXPECT_EQ(object(llama3, "rope_scaling"),
            R"({"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,)"
            R"("original_max_position_embeddings":120})");
  RopeScaling yarn = {.rope_type = "yarn", .factor = 4};
  const std::string text =
      R"({"rope_type":"yarn","factor":4.0,"beta_fast":32.0,"beta_slow":1.0,"truncate":true)";
  EXPECT_EQ(object(yarn, "rope_scaling"), text + "}");
  yarn.original_max_position_embeddings = 30;
  EXPECT_EQ(object(yarn, "rope_scaling"), text + R"(,"original_max_position_embeddings":30})");
}

TEST(ConfigJson, ReadsBothFormsOfRopeAndMissingKeys) {
  EXPECT_EQ(read(R"({"rope_theta": 5000})").rope_theta, 5000);
  EXPECT_EQ(read(R"({"rope_scaling": null})").rope_theta, 10000);
  EXPECT_EQ(read(R"({"rope_parameters": {"rope_theta": 7.0, "rope_type": "default"}})").rope_theta,
            7);
  EXPECT_EQ(read("{}").hidden_size, 4096);
  EXPECT_EQ(read(R"({"pad_token_id": -1})").pad_token_id, -1);
  EXPECT_EQ(read(R"({"partial_rotary_factor": 1, "rms_norm_eps": 1e-20})").rms_norm_eps, 1e-20);
  EXPECT_EQ(read(R"({"rope_scaling": {"type": "mrope", "rope_type": "default"}})").rope_theta,
            10000);
  // The older name of the key, and the older of the two objects first unless it is empty.
  const ModelConfig old = read(R"({"rope_theta": 500, "rope_parameters": {"rope_theta": 9.0},
      "rope_scaling": {"type": "linear", "factor": 2}})");
  EXPECT_EQ(old.rope_scaling.rope_type, "linear");
  EXPECT_EQ(old.rope_scaling.factor, 2.0);
  EXPECT_EQ(old.rope_theta, 500);
  EXPECT_EQ(read(R"({"rope_scaling": {}, "rope_parameters": {"rope_theta": 9}})").rope_theta, 9);
  const ModelConfig yarn = read(R"({"max_position_embeddings": 128, "rope_scaling":
      {"rope_type": "yarn", "factor": 4, "attention_factor": null, "mscale": 0}})");
  EXPECT_TRUE(
      yarn.rope_scaling ==
      (RopeScaling{.rope_type = "yarn", .factor = 4, .original_max_position_embeddings = 128}));
}

// A Llama that happens to have a key of cria's name means something else by it, or nothing.
TEST(ConfigJson, CriasKeysCountInItsOwnFilesOnly) {
  const std::string keys = R"("position": "none", "embedding_scale": 3.0, "embedding_norm": true})";
  const ModelConfig llama = read(R"({"model_type": "llama", )" + keys);
  EXPECT_EQ(llama.position, "rope");
  EXPECT_EQ(llama.embedding_scale, 1.0);
  EXPECT_FALSE(llama.embedding_norm);
  const ModelConfig cria = read(R"({"model_type": "cria", )" + keys);
  EXPECT_EQ(cria.position, "none");
  EXPECT_EQ(cria.embedding_scale, 3.0);
  EXPECT_TRUE(cria.embedding_norm);
}

TEST(ConfigJson, RefusesWhatItWouldComputeDifferently) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"model_type": "gpt2"})", "config.json: model_type: not supported"},
      {R"({"hidden_act": "gelu"})", "config.json: hidden_act: not supported"},
      {R"({"partial_rotary_factor": 0.5})", "config.json: partial_rotary_factor: not supported"},
      {R"({"hidden_size": -4})", "config.json: hidden_size: out of range"},
      {R"({"num_hidden_layers": 1000000})", "config.json: num_hidden_layers: out of range"},
      {R"({"hidden_size": "128"})", "config.json: hidden_size"},
      {R"([])", "config.json"},
      {R"({"attention_dropout": 1.0})", "attention_dropout: out of range"},
      // RoPE
      {R"({"rope_scaling": {"rope_type": "longrope", "short_factor": [1]}})",
       "config.json: rope_scaling: rope_type: not one of the choices\n  expected: "
       "one of \"default\", \"linear\""},
      {R"({"rope_scaling": {"type": "mrope", "mrope_section": [1]}})",
       "config.json: rope_scaling: type: not one of the choices"},
      {R"({"rope_theta": 0.5})", "config.json: rope_theta: out of range"},
      {R"({"rope_parameters": {"rope_theta": 0.5}})",
       "config.json: rope_parameters: rope_theta: out of range"},
      {R"({"num_key_value_heads": 0})", "config.json: num_key_value_heads: out of range"},
      {R"({"rope_scaling": "linear"})", "config.json: rope_scaling"},
      {R"({"rope_scaling": {"rope_type": "linear"}})", "rope_scaling: factor: missing"},
      {R"({"rope_scaling": {"rope_type": "linear", "factor": 0.5}})",
       "config.json: rope_scaling: factor: out of range"},
      {R"({"rope_scaling": {"rope_type": "yarn", "factor": null}})", "factor: missing"},
      {R"({"rope_scaling": {"rope_type": "yarn", "factor": 2, "attention_factor": 0}})",
       "rope_scaling: attention_factor: out of range"},
      {R"({"rope_scaling": {"rope_type": "yarn", "factor": 2, "mscale": -1}})",
       "rope_scaling: mscale: out of range"},
      {R"({"rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1,
          "high_freq_factor": 4}})",
       "rope_scaling: original_max_position_embeddings: missing"},
      {R"({"rope_parameters": {"full_attention": {"rope_type": "default"}}})",
       "rope_parameters: full_attention: not supported"},
      {R"({"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.25}})",
       "rope_parameters: partial_rotary_factor: not supported"},
      // cria's own keys
      {R"({"model_type": "cria", "embedding_scale": 0.0})", "embedding_scale: out of range"},
      {R"({"model_type": "cria", "embedding_max_norm": -1})", "embedding_max_norm: out of range"},
      {R"({"model_type": "cria", "embedding_max_norm": 1, "embedding_norm_type": "two"})",
       "embedding_norm_type"},
      {R"({"model_type": "cria", "position": 3})", "config.json: position"},
      {R"({"model_type": "cria", "position": "alibis"})",
       "config.json: position: not one of the choices"},
      {R"({"model_type": "cria", "position": "t5", "relative_attention_num_buckets": 7})",
       "config.json: relative_attention_num_buckets: half of the buckets"},
  };
  for (const auto& [text, part] : cases) {
    const std::string message = error_of_reading(text);
    EXPECT_NE(message.find(part), std::string::npos) << text << '\n' << message;
  }
}

}  // namespace
}  // namespace cria
