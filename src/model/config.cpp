#include "cria/model/config.h"

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

}  // namespace

ModelConfig resolved(ModelConfig c, int64_t sequence_length, const std::string& place) {
  const auto fail = [&](const std::string& key, const std::string& summary,
                        const std::string& expected, const std::string& got,
                        const std::string& hint = {}) {
    throw Error(summary, {.where = place + key, .expected = expected, .got = got, .hint = hint});
  };
  const auto number = [](int64_t value) { return std::to_string(value); };
  if (c.vocab_size < 1) {
    fail("vocab_size", "not given", "the number of tokens", number(c.vocab_size),
         "it is taken from the tokenizer when there is one");
  }
  if (c.head_dim == 0) {
    if (c.hidden_size % c.num_attention_heads != 0) {
      fail("num_attention_heads", "the heads do not divide hidden_size",
           "a divisor of " + number(c.hidden_size) + ": " + divisors(c.hidden_size),
           number(c.num_attention_heads), "or give model.head_dim");
    }
    c.head_dim = c.hidden_size / c.num_attention_heads;
  }
  if (c.head_dim > kMaxHeadDim) {
    fail("head_dim", "wider than the attention kernel's heads", "at most " + number(kMaxHeadDim),
         number(c.head_dim), "choose more num_attention_heads, or a smaller head_dim");
  }
  if (c.head_dim % 2 != 0 && c.position == "rope") {
    fail("head_dim", "rotary position encoding rotates pairs", "an even number", number(c.head_dim),
         "choose fewer num_attention_heads, or an even head_dim");
  }
  if (c.num_key_value_heads == 0) c.num_key_value_heads = c.num_attention_heads;
  if (c.num_attention_heads % c.num_key_value_heads != 0) {
    fail("num_key_value_heads", "the key/value heads do not divide the query heads",
         "a divisor of " + number(c.num_attention_heads) + ": " + divisors(c.num_attention_heads),
         number(c.num_key_value_heads), "0 means as many as query heads");
  }
  if (c.intermediate_size == 0) c.intermediate_size = (c.hidden_size * 8 / 3 + 7) / 8 * 8;
  if (c.max_position_embeddings == 0) c.max_position_embeddings = sequence_length;
  if (c.max_position_embeddings < 1) {
    fail("max_position_embeddings", "not given", "the longest sequence", "0");
  }
  if (sequence_length > c.max_position_embeddings) {
    fail("max_position_embeddings", "the sequence is longer than the model's positions",
         "at least data.sequence_length = " + number(sequence_length),
         number(c.max_position_embeddings), "leave it out to take the sequence's length");
  }
  if (c.pad_token_id >= c.vocab_size) {
    fail("pad_token_id", "not a token", "-1 to " + number(c.vocab_size - 1),
         number(c.pad_token_id));
  }
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
  const double visible_keys = static_cast<double>(sequence_length + 1) / 2;
  return 6 * weights + layers * 3 * 4 * q * visible_keys;
}

}  // namespace cria
