// What the last pass of a model has left in memory, in a few numbers: the logits, the attention,
// and what each layer would say of the next token.
#pragma once

#include <cstdint>
#include <vector>

#include "cria/model/llama.h"

namespace cria {

// Means over the positions looked at, in natural logarithm.
struct PassStatistics {
  int64_t positions = 0;              //
  double logit_mean = 0;              // over the vocabulary
  double logit_max = 0;               // the largest of all
  double log_z = 0;                   // log of the softmax's denominator
  double entropy = 0;                 // of the softmax
  double self_logit = 0;              // of the input token itself
  std::vector<double> attention_max;  // [L]: the largest score of a layer, its softmax's argument
  // [L]: KL divergence of what the final norm and the head make of the residual stream before a
  // layer, from the softmax itself: sum p (log p - log p_layer). Source: the logit lens
  // (nostalgebraist, 2020); the divergence as in Belrose et al., 2023 (the tuned lens).
  std::vector<double> lens_kl;

  bool operator==(const PassStatistics&) const = default;
};

// memory: for training (Error otherwise), after a pass of the model over tokens [B,T] with these
// document_starts ([B,T] or empty). At most `most` of the B T positions are looked at, evenly
// spread. The same bits for any number of threads.
PassStatistics pass_statistics(const Llama& model, const Activations& memory,
                               const TokenIds& tokens, const TokenIds& document_starts,
                               int64_t most = 256);

}  // namespace cria
