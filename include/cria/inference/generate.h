// Text from a model, token by token, with a key/value cache.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cria/base/rng.h"
#include "cria/model/llama.h"
#include "cria/text/tokenizer.h"

namespace cria {

struct Sampling {
  double temperature = 0.8;         // 0: always the most likely token
  int64_t top_k = 0;                // only the k most likely; 0: all
  double top_p = 1.0;               // only the most likely that together reach p
  double min_p = 0.0;               // only those at least min_p times as likely as the likeliest
  double repetition_penalty = 1.0;  // see penalize_repetition
  uint64_t seed = 1;
  int64_t sample = 0;  // which of the texts that a prompt and a seed have
  int64_t max_new_tokens = 200;
  std::vector<std::string> stop = {};    // end before any of these texts
  std::vector<int32_t> end_tokens = {};  // end at these, besides the tokenizer's eos
  bool ignore_eos = false;               // end at neither
  bool allow_special = false;            // special tokens in the prompt are no text
};

// Makes each of ids, once, less likely: its logit z becomes z / penalty where z > 0, else z
// penalty. Source: Keskar et al., CTRL, 2019; as transformers' RepetitionPenaltyLogitsProcessor.
void penalize_repetition(std::span<float> logits, std::span<const int32_t> ids, double penalty);

// Draws from softmax(logits / temperature), cut by top_k, then by top_p, then by min_p. scratch [V]
// is used up.
int32_t sample_token(std::span<const float> logits, const Sampling& sampling, Rng& rng,
                     std::vector<float>& scratch);

// What a text begins with where nobody says: nothing when the tokenizer puts something in front of
// it, or else a line break, or else the first token that is text.
std::string default_prompt(const Tokenizer& tokenizer);

class Generator {
 public:
  // Error when the tokenizer has more tokens than the model.
  Generator(const Llama& model, const Tokenizer& tokenizer);

  // Hands what follows the prompt to sink in pieces of valid UTF-8 as it comes; returns the number
  // of tokens, one that ends the text included. The prompt begins a text: the tokenizer's
  // ends().before stand before it. When the model's positions are used up, it goes on from the last
  // half of them; with dynamic RoPE, only after rope_scaling.factor times as many, and what is
  // longer than the model's positions is seen as in evaluation at the whole text's length. Error
  // naming what of `sampling` is out of range.
  int64_t run(std::string_view prompt, const Sampling& sampling,
              const std::function<void(std::string_view)>& sink);

 private:
  const Llama* model_;
  const Tokenizer* tokenizer_;
};

}  // namespace cria
