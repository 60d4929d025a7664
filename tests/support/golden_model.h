// Whole models of golden files.
#pragma once

#include <string>
#include <type_traits>
#include <vector>

#include "cria/model/llama.h"
#include "model/config_json.h"
#include "support/golden.h"

namespace cria {

// The config of a file's settings; those of the input pipeline and of the position encoding may be
// missing. sequence_length: the default for max_position_embeddings.
inline ModelConfig golden_config(const Golden& golden, int64_t sequence_length = 0) {
  ModelConfig c;
  c.vocab_size = golden.integer("vocab_size");
  c.hidden_size = golden.integer("hidden_size");
  c.intermediate_size = golden.integer("intermediate_size");
  c.num_hidden_layers = golden.integer("num_hidden_layers");
  c.num_attention_heads = golden.integer("num_attention_heads");
  c.num_key_value_heads = golden.integer("num_key_value_heads");
  c.head_dim = golden.integer("head_dim");
  c.rms_norm_eps = golden.number("rms_norm_eps");
  c.rope_theta = golden.number("rope_theta");
  c.tie_word_embeddings = golden.flag("tie_word_embeddings");
  c.attention_bias = golden.flag("attention_bias");
  c.mlp_bias = golden.flag("mlp_bias");
  const auto set = [&](const char* key, auto& field) {
    const Json value = golden.find_setting(key);
    if (value.is_null()) return;
    using Field = std::remove_reference_t<decltype(field)>;
    if constexpr (std::is_same_v<Field, int64_t>) field = value.as_int(key);
    if constexpr (std::is_same_v<Field, bool>) field = value.as_bool(key);
    if constexpr (std::is_same_v<Field, std::string>) field = value.as_string(key);
  };
  set("max_position_embeddings", c.max_position_embeddings);
  set("position", c.position);
  set("embedding_norm", c.embedding_norm);
  set("relative_attention_num_buckets", c.relative.num_buckets);
  set("relative_attention_max_distance", c.relative.max_distance);
  set("relative_attention_per_layer", c.relative.per_layer);
  set("max_relative_positions", c.relative.max_relative_positions);
  set("position_buckets", c.relative.position_buckets);
  set("memory_length", c.memory_length);
  const Json scale = golden.find_setting("embedding_scale");
  if (scale.is_number()) c.embedding_scale = scale.as_double("embedding_scale");
  if (scale == Json("sqrt_hidden_size")) c.embedding_scale = 0;
  if (const Json scaling = golden.find_setting("rope_scaling"); scaling.is_object()) {
    // The settings have config.json's form.
    Json json;
    json.set("rope_scaling", scaling);
    c.rope_scaling = model_config_from_json(json, "golden").rope_scaling;
  }
  return resolved(c, sequence_length, "golden ");
}

// Feeds the first `time` tokens of the file through a cache, `prompt` of them at once and then one
// by one, and compares the logits of each step, within 1e-5 of their norm, with logits0 [B,T,V].
inline void expect_golden_logits(const Llama& model, const Golden& golden, int64_t time,
                                 int64_t prompt) {
  const std::vector<int32_t> tokens = golden.ints("tokens");
  const std::vector<float> want = golden.floats("logits0");
  const int64_t vocabulary = model.config().vocab_size;
  Activations activations(model, Purpose::generation, 1, time);
  for (int64_t t = 0; t < time;) {
    const int64_t count = t == 0 ? prompt : 1;
    const ConstTensor logits = model.next_logits(activations, TokenIds(&tokens[t], {1, count}));
    t += count;
    const float* row = &want[(t - 1) * vocabulary];
    expect_near_norm(logits, {row, row + vocabulary}, 1e-5,
                     "prompt of " + std::to_string(prompt) + ", position " + std::to_string(t - 1));
  }
  EXPECT_EQ(activations.cached(), time);
}

}  // namespace cria
