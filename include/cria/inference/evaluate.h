// Loss over a validation set.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

#include "cria/data/dataset.h"
#include "cria/data/documents.h"
#include "cria/model/llama.h"
#include "cria/text/tokenizer.h"

namespace cria {

class Communicator;

struct Evaluation {
  double loss = 0;        // mean of -log p per token, natural log
  double perplexity = 0;  // exp(loss)
  double bits_per_byte = std::numeric_limits<double>::quiet_NaN();  // NaN without a tokenizer
  int64_t tokens = 0;                                               // predicted
  double seconds = 0;
};

// Bytes that each token stands for; empty without a tokenizer.
std::vector<int64_t> token_lengths(const Tokenizer* tokenizer);

// Hears the loss of each target [N], 0 where it is ignored.
using EachLoss = std::function<void(const TokenIds& targets, const ConstTensor& losses)>;

struct EvaluationRequest {
  int64_t sequence_length;                  // windows of this many tokens, side by side
  int64_t batch_size;                       // windows in a pass
  int64_t batches = 0;                      // only the first ones; 0: the whole set
  std::vector<int64_t> token_lengths = {};  // see above
  // Documents are kept apart: attention and positions stay inside one, and what begins the next is
  // not predicted. The model must not have a segment memory.
  std::optional<DocumentMarks> documents = {};
  std::function<void(int64_t done, int64_t windows)> progress = {};
  EachLoss each_loss = {};
  // Processes that share the batches, and all get the result; null: this one alone. With a segment
  // memory, or each_loss, each computes all.
  Communicator* ranks = nullptr;
};

// Whether that many windows have a target to predict at all.
bool has_targets(const Dataset& dataset, const EvaluationRequest& request);

// bits per byte = sum of -log2 p / bytes of the predicted tokens. Error when there are none.
// activations: for at least [batch_size, sequence_length].
Evaluation evaluate(const Llama& model, Activations& activations, const Dataset& dataset,
                    const EvaluationRequest& request);

}  // namespace cria
