#include "cria/model/config.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/number.h"
#include "cria/base/error.h"
#include "cria/kernels/kernels.h"
#include "model/config_keys.h"
#include "position/settled.h"

namespace cria {
namespace {

constexpr std::string_view kTable = "model.";  // where config files have the keys

// Whether a key is of some encoding, and so only looked at when that is chosen: see settled().
bool is_of_position(const std::string& key) {
  constexpr const char* kBegins[] = {"model.rope_", "model.relative_",
                                     "model.max_relative_positions", "model.position_buckets"};
  return std::ranges::any_of(kBegins, [&](const char* begin) { return key.starts_with(begin); });
}

std::string divisors(int64_t number) {
  std::string text;
  for (int64_t divisor = 1; divisor <= number; ++divisor) {
    if (number % divisor == 0) text += (text.empty() ? "" : ", ") + std::to_string(divisor);
  }
  return text;
}

// Derives and checks one topic after the other.
class Resolver {
 public:
  Resolver(ModelConfig& config, const std::string& place) : c_(config), place_(place) {}

  void embedding() {
    padding();
    initial_ranges();
    if (c_.embedding_scale == 0) {
      c_.embedding_scale = std::sqrt(static_cast<double>(c_.hidden_size));
    }
    if (c_.embedding.sparse && c_.tie_word_embeddings) {
      fail("embedding.sparse", "the output head gives every row of a tied table a gradient",
           "tie_word_embeddings = false", "true");
    }
    if (c_.embedding.sparse && c_.embedding.scale_grad_by_freq) {
      fail("embedding.sparse", "not together with scale_grad_by_freq, as in PyTorch",
           "embedding.scale_grad_by_freq = false", "true");
    }
  }

  void attention() {
    if (c_.head_dim == 0) {
      if (c_.hidden_size % c_.num_attention_heads != 0) {
        fail("num_attention_heads", "the heads do not divide hidden_size",
             "a divisor of " + number(c_.hidden_size) + ": " + divisors(c_.hidden_size),
             number(c_.num_attention_heads), "or give model.head_dim");
      }
      c_.head_dim = c_.hidden_size / c_.num_attention_heads;
    }
    if (c_.head_dim > kMaxHeadDim) {
      fail("head_dim", "wider than the attention kernel's heads", "at most " + number(kMaxHeadDim),
           number(c_.head_dim), "choose more num_attention_heads, or a smaller head_dim");
    }
    if (c_.num_key_value_heads == 0) c_.num_key_value_heads = c_.num_attention_heads;
    if (c_.num_attention_heads % c_.num_key_value_heads != 0) {
      fail("num_key_value_heads", "the key/value heads do not divide the query heads",
           "a divisor of " + number(c_.num_attention_heads) + ": " +
               divisors(c_.num_attention_heads),
           number(c_.num_key_value_heads), "0 means as many as query heads");
    }
  }

  void length(int64_t sequence_length) {
    if (c_.max_position_embeddings == 0) c_.max_position_embeddings = sequence_length;
    if (c_.max_position_embeddings < 1) {
      fail("max_position_embeddings", "not given", "the longest sequence", "0");
    }
    if (sequence_length > c_.max_position_embeddings) {
      fail("max_position_embeddings", "the sequence is longer than the model's positions",
           "at least data.sequence_length = " + number(sequence_length),
           number(c_.max_position_embeddings), "leave it out to take the sequence's length");
    }
  }

  void position() {
    const PositionConfig full = settled(position_config(c_), place_);
    c_.rope_scaling = full.rope_scaling;
    c_.relative = full.relative;
    if (c_.memory_length > 0 && c_.position != "transformer_xl") {
      fail("memory_length", "only Transformer-XL has a memory", "0", number(c_.memory_length),
           "or position = \"transformer_xl\"");
    }
  }

 private:
  void initial_ranges() {
    for (std::optional<double>* range :
         {&c_.embedding_initializer_range, &c_.head_initializer_range}) {
      if (*range == 0.0) *range = 1 / std::sqrt(static_cast<double>(c_.hidden_size));
    }
    if (c_.tie_word_embeddings && c_.head_initializer_range) {
      fail("head_initializer_range", "a tied head is the embedding table, one tensor", "\"none\"",
           shortest_double(*c_.head_initializer_range),
           "embedding_initializer_range is that of both");
    }
  }

  // nn.Embedding's padding_idx counts from the end when it is negative, Hugging Face's pad_token_id
  // is none then; resolved, both are one token.
  void padding() {
    std::optional<int64_t>& index = c_.embedding.padding_idx;
    if (c_.pad_token_id >= c_.vocab_size) {
      fail("pad_token_id", "not a token", "-1 to " + number(c_.vocab_size - 1),
           number(c_.pad_token_id));
    }
    if (index && (*index < -c_.vocab_size || *index >= c_.vocab_size)) {
      fail("embedding.padding_idx", "not a row of the table",
           number(-c_.vocab_size) + " to " + number(c_.vocab_size - 1), number(*index));
    }
    if (index && *index < 0) *index += c_.vocab_size;
    if (index && c_.pad_token_id >= 0 && *index != c_.pad_token_id) {
      fail("embedding.padding_idx", "pad_token_id is another token",
           "pad_token_id = " + number(c_.pad_token_id), number(*index),
           "they are two names for one thing: give one of them");
    }
    if (c_.pad_token_id >= 0) index = c_.pad_token_id;
    if (index) c_.pad_token_id = *index;
  }

  [[noreturn]] void fail(const std::string& key, const std::string& summary,
                         const std::string& expected, const std::string& got,
                         const std::string& hint = {}) const {
    throw Error(summary, {.where = place_ + key, .expected = expected, .got = got, .hint = hint});
  }

  static std::string number(int64_t value) { return std::to_string(value); }

  ModelConfig& c_;
  const std::string& place_;
};

}  // namespace

PositionConfig position_config(const ModelConfig& c) {
  return {.name = c.position,
          .hidden_size = c.hidden_size,
          .layers = c.num_hidden_layers,
          .heads = c.num_attention_heads,
          .kv_heads = c.num_key_value_heads,
          .head_dim = c.head_dim,
          .max_positions = c.max_position_embeddings,
          .std = c.initializer_range,
          .rope_theta = c.rope_theta,
          .rope_scaling = c.rope_scaling,
          .relative = c.relative};
}

ModelConfig resolved(ModelConfig c, int64_t sequence_length, const std::string& place) {
  if (c.vocab_size < 1) {
    throw Error("not given", {.where = place + "vocab_size",
                              .expected = "the number of tokens",
                              .got = std::to_string(c.vocab_size),
                              .hint = "it is taken from the tokenizer when there is one"});
  }
  for (Key& key : model_keys(c)) {
    if (is_of_position(key.name)) continue;
    key.name = place + key.name.substr(kTable.size());
    assign(key, value_of(key), "");
  }
  Resolver resolver(c, place);
  resolver.embedding();
  resolver.attention();
  if (c.intermediate_size == 0) c.intermediate_size = (c.hidden_size * 8 / 3 + 7) / 8 * 8;
  resolver.length(sequence_length);
  resolver.position();
  return c;
}

double training_flops_per_token(const ModelConfig& c, int64_t sequence_length) {
  const double hidden = static_cast<double>(c.hidden_size);
  const double q = static_cast<double>(c.num_attention_heads * c.head_dim);
  const double kv = static_cast<double>(c.num_key_value_heads * c.head_dim);
  const double block =
      hidden * (q + 2 * kv) + q * hidden + 3 * hidden * static_cast<double>(c.intermediate_size);
  const double layers = static_cast<double>(c.num_hidden_layers);
  const double weights = layers * block + hidden * static_cast<double>(c.vocab_size);
  const double memory = static_cast<double>(c.memory_length);
  const double visible_keys = static_cast<double>(sequence_length + 1) / 2 + memory;
  // Each query has these products with a visible position: scores, values, and the encoding's own.
  const double products = c.position == "transformer_xl" ? 3 : c.position == "deberta" ? 4 : 2;
  return 6 * weights + layers * 6 * products * q * visible_keys;
}

}  // namespace cria
