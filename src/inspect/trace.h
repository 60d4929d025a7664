// One pass over a text, opened up: what each part of the model made of it, from the text to the
// next token. Every tensor is what the pass left in memory, or is made by the model's own layers
// from that; what a part adds is the difference of after and before.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cria/model/llama.h"
#include "cria/text/tokenizer.h"

namespace cria {

// A copy of a tensor, contiguous.
struct TracedTensor {
  std::vector<int64_t> shape;
  std::vector<float> values;

  // [..., columns]: the r-th of all rows; in [1,T,H,D] the row of token t and head h is t H + h.
  std::span<const float> row(int64_t r) const;
  bool is_zero() const;
  double sum_of_norms() const;  // of all rows

  bool operator==(const TracedTensor&) const = default;
};

// The scores of the last token in a layer with each key, divided into terms: the score is the sum
// of content, keys, queries and bias. Terms that the position encoding lacks are empty.
struct TracedScores {
  double scale = 0;      // of the products
  TracedTensor content;  // [H,T]: scale q.k, with q and k as the encoding left them
  TracedTensor keys;     // [H,T]: scale q.(relative key)
  TracedTensor queries;  // [H,T]: scale k.(relative query)
  TracedTensor bias;     // [H,T]
  TracedTensor weights;  // [H,T]: the softmax, by the log-sum-exp of the pass
};

struct TracedBlock {
  TracedTensor x;          // [1,T,C]: the residual stream before the block
  TracedTensor attention;  // [1,T,C]: added to it
  TracedTensor mlp;        // [1,T,C]: added to that
};

// What the final norm and the head make of the residual stream at a token: see inspect/logit_lens.
struct TracedGuess {
  int32_t id = 0;          // the most likely next token, of equals the lowest
  double probability = 0;  // its own
  double loss = 0;  // -log p of the token that comes, natural; 0 at the last, where none does
};

struct TracedLayer {
  TracedTensor weights;              // [H,T,T]: the attention's, query by key
  std::vector<TracedGuess> guesses;  // [T]: of the stream before the block
};

struct NextToken {
  int32_t id = 0;
  std::optional<std::string> text = {};  // none: the vocabulary is padded, nothing stands for it
  float logit = 0;
  float probability = 0;
};

struct Trace {
  std::vector<int32_t> ids;         // [T]
  std::vector<std::string> tokens;  // [T]: the bytes of each

  std::vector<int64_t> table_shape;  // [V,C]
  TracedTensor rows;                 // [1,T,C]: out of the table
  double embedding_scale = 1;
  TracedTensor embedded;  // [1,T,C]: the rows, scaled
  TracedTensor added;     // [1,T,C]: by the position encoding; zero where it does nothing here
  TracedTensor sum;       // [1,T,C]: embedded + added
  TracedTensor input;     // [1,T,C]: the sum, or its norm with embedding_norm

  int64_t layer = 0;  // of the four below and of the scores
  // Before and after the position encoding.
  TracedTensor q_before, q;  // [1,T,H,D]
  TracedTensor k_before, k;  // [1,T,K,D]
  TracedScores scores;

  // How many times as long as the embedded tokens' vectors those are that the position encoding
  // adds to them, on average; 0 when it adds nothing.
  double position_to_token() const;

  std::vector<TracedBlock> blocks;
  std::vector<TracedLayer> layers;   // where asked for
  std::vector<TracedGuess> guesses;  // [T]: the model's, with them
  TracedTensor output;               // [1,T,C]: the residual stream after the last block
  TracedTensor normed;               // [1,T,C]: its norm, which the head reads
  std::vector<NextToken> next;       // [V]: after the last token, the most likely first
};

// The tokenizer's ends().before stand before the text. layer: whose attention is opened up; layers:
// also what each layer looks at and would say, which takes L H T^2 numbers. Reserves the positions
// that it needs (see Llama::reserve_positions). Error for an empty text, for text that the
// tokenizer lacks a token for, for more tokens than the model can have positions, and for a layer
// that it does not have.
Trace trace(Llama& model, const Tokenizer& tokenizer, std::string_view text, int64_t layer = 0,
            bool layers = false);

}  // namespace cria
