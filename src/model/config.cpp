#include "cria/model/config.h"

#include <algorithm>
#include <cmath>

#include "base/number.h"
#include "cria/base/error.h"
#include "cria/kernels/kernels.h"

namespace cria {
namespace {

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

  // Only the chosen encoding's keys are looked at.
  void position() {
    if (c_.position == "rope") rope();
    if (c_.position == "t5") t5();
    if (c_.position == "deberta") deberta();
    if (c_.position == "sinusoidal" || c_.position == "transformer_xl") {
      require_even("hidden_size", c_.hidden_size, "sines and cosines come in pairs");
    }
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

  void rope() {
    require_even("head_dim", c_.head_dim, "rotary position encoding rotates pairs",
                 "choose fewer num_attention_heads, or an even head_dim");
    RopeScaling& scaling = c_.rope_scaling;
    const std::string& type = scaling.rope_type;
    if (std::ranges::find(rope_types(), type) == rope_types().end()) {
      fail("rope_scaling.rope_type", "not a kind of scaling that cria has", one_of(rope_types()),
           "\"" + type + "\"", did_you_mean(type, rope_types()));
    }
    if (type == "default") return;
    if (!(scaling.factor >= 1)) {
      fail("rope_scaling.factor", "sequences do not become shorter", "at least 1.0",
           shortest_double(scaling.factor));
    }
    if (type == "dynamic" && c_.head_dim == 2) {
      fail("head_dim", "dynamic scaling needs a second pair to rotate", "at least 4", "2");
    }
    const bool has_original = type == "llama3" || type == "yarn";
    if (has_original && scaling.original_max_position_embeddings == 0) {
      scaling.original_max_position_embeddings = c_.max_position_embeddings;
    }
    if (type == "llama3" && !(scaling.low_freq_factor < scaling.high_freq_factor)) {
      fail("rope_scaling.low_freq_factor", "not below high_freq_factor",
           "less than " + shortest_double(scaling.high_freq_factor),
           shortest_double(scaling.low_freq_factor));
    }
    if (type == "yarn" && !(scaling.beta_slow < scaling.beta_fast)) {
      fail("rope_scaling.beta_slow", "not below beta_fast",
           "less than " + shortest_double(scaling.beta_fast), shortest_double(scaling.beta_slow));
    }
    if (type == "yarn" && !(c_.rope_theta > 1)) {
      fail("rope_theta", "yarn needs frequencies that differ", "more than 1.0",
           shortest_double(c_.rope_theta));
    }
  }

  void t5() {
    const int64_t buckets = c_.relative.num_buckets;
    require_even("relative_attention_num_buckets", buckets,
                 "half of the buckets are for single distances");
    if (c_.relative.max_distance <= buckets / 2) {
      fail("relative_attention_max_distance", "leaves nothing for the other half of the buckets",
           "more than relative_attention_num_buckets / 2 = " + number(buckets / 2),
           number(c_.relative.max_distance));
    }
  }

  void deberta() {
    int64_t& distances = c_.relative.max_relative_positions;
    // The paper's reach.
    constexpr int64_t kReach = 512;
    if (distances == 0) distances = std::min(kReach, c_.max_position_embeddings);
    const int64_t buckets = c_.relative.position_buckets;
    if (buckets == 0) return;
    require_even("position_buckets", buckets, "half of the buckets are for single distances");
    if (buckets < 4 || buckets > distances) {
      fail("position_buckets", "no way to share the distances out",
           "0, or 4 to max_relative_positions = " + number(distances), number(buckets));
    }
  }

  void require_even(const std::string& key, int64_t value, const std::string& summary,
                    const std::string& hint = {}) const {
    if (value % 2 != 0) fail(key, summary, "an even number", number(value), hint);
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

ModelConfig resolved(ModelConfig c, int64_t sequence_length, const std::string& place) {
  if (c.vocab_size < 1) {
    throw Error("not given", {.where = place + "vocab_size",
                              .expected = "the number of tokens",
                              .got = std::to_string(c.vocab_size),
                              .hint = "it is taken from the tokenizer when there is one"});
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
  // Of each query with a visible position: scores, values, and what the encoding adds.
  const double products = c.position == "transformer_xl" ? 3 : c.position == "deberta" ? 4 : 2;
  return 6 * weights + layers * 6 * products * q * visible_keys;
}

}  // namespace cria
