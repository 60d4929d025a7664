// A small model and random tokens for it.
#pragma once

#include <vector>

#include "cria/model/llama.h"
#include "support/random.h"

namespace cria {

inline ModelConfig tiny_config() {
  ModelConfig config;
  config.vocab_size = 37;
  config.hidden_size = 24;
  config.intermediate_size = 40;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.max_position_embeddings = 120;
  return resolved(config, 0, "test");
}

// The same with a position encoding whose distances share rows within a short text.
inline ModelConfig position_config(const std::string& name, int64_t kv_heads, bool tied) {
  ModelConfig config = tiny_config();
  config.position = name;
  config.num_key_value_heads = kv_heads;
  config.tie_word_embeddings = tied;
  config.relative.max_relative_positions = 20;
  config.relative.num_buckets = 8;
  config.relative.max_distance = 30;
  // Larger than usual, so that the blocks, and positions in them, matter against the embedding.
  config.initializer_range = 0.1;
  return resolved(config, 0, "test");
}

// Tokens and the targets one further on.
struct TokenBatch {
  std::vector<int32_t> ids;
  int64_t batch, time;

  TokenBatch(int64_t b, int64_t t, int64_t vocabulary, const char* name = "tokens")
      : ids(random_ids(b * t + 1, vocabulary, name)), batch(b), time(t) {}

  TokenIds inputs() const { return TokenIds(ids.data(), {batch, time}); }
  TokenIds targets() const { return TokenIds(ids.data() + 1, {batch, time}); }
};

}  // namespace cria
