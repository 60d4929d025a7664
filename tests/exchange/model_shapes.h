// Small models of every kind that the formats of other programs can hold.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutations.h"
#include "cria/base/rng.h"
#include "support/errors.h"
#include "support/files.h"
#include "support/tiny_model.h"

namespace cria {

inline ModelConfig shape_of_32() {
  ModelConfig config;
  config.vocab_size = 260;
  config.hidden_size = 32;
  config.intermediate_size = 64;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.max_position_embeddings = 48;
  return config;
}

// Models named by what is special about them; D is 8 where nothing is said.
inline std::map<std::string, ModelConfig> exchange_shapes() {
  std::map<std::string, ModelConfig> all;
  for (const char* const name :
       {"grouped", "tied", "biases", "head_dim", "linear", "yarn", "yarn2", "llama3"}) {
    all[name] = shape_of_32();
  }
  all["tied"].tie_word_embeddings = true;
  all["tied"].num_key_value_heads = 4;
  all["biases"].attention_bias = all["biases"].mlp_bias = true;
  all["head_dim"].head_dim = 16;
  all["head_dim"].rope_theta = 500000.0;
  all["head_dim"].rms_norm_eps = 1e-6;
  all["linear"].rope_scaling = {.rope_type = "linear", .factor = 2.5};
  all["yarn"].rope_scaling = {
      .rope_type = "yarn", .factor = 4.0, .original_max_position_embeddings = 12};
  all["yarn2"].rope_scaling = all["yarn"].rope_scaling;
  all["yarn2"].rope_scaling.attention_factor = 1.25;
  all["llama3"].rope_scaling = {.rope_type = "llama3",
                                .factor = 8.0,
                                .original_max_position_embeddings = 32,
                                .low_freq_factor = 1.0,
                                .high_freq_factor = 3.0};
  for (auto& [name, config] : all) config = resolved(config, 0, name);
  return all;
}

// Every number random, those of norms and biases too.
inline std::unique_ptr<Llama> random_model(const ModelConfig& config, double std = 0.3) {
  auto model = std::make_unique<Llama>(config, Precision::fp32, Planes::value);
  for (Parameter& slot : model->parameters().slots()) {
    fill_normal(slot.mutable_value().data, 0, slot.value.size(), std, 1, slot.name);
  }
  return model;
}

// How many of 400 damaged files `read` refuses; any other end than an Error or a model fails the
// test. Half of the damage is in the first `front` bytes, which are a small part of the file.
template <class Read>
int refused_of_400(const std::vector<std::string>& seeds, size_t front, const std::string& path,
                   Read&& read) {
  Rng rng(1, "damaged models");
  int refused = 0;
  for (int i = 0; i < 400; ++i) {
    std::string bytes = seeds[static_cast<size_t>(i) % seeds.size()];
    const size_t part = i % 2 == 0 ? front : bytes.size();
    bytes = mutated({bytes.substr(0, part)}, rng) + bytes.substr(part);
    write_quickly(path, bytes);
    refused += !error_of(read).empty();
  }
  return refused;
}

inline std::vector<float> values_of(const Parameter& slot) {
  return {slot.value.data, slot.value.data + slot.value.size()};
}

}  // namespace cria
