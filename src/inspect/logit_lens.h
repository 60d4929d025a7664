// What the final norm and the head make of the residual stream, wherever it is looked at. Source:
// the logit lens (nostalgebraist, 2020).
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "cria/model/llama.h"

namespace cria {

class LogitLens {
 public:
  LogitLens(const Llama& model, int64_t rows);  // of at most so many at once

  // The logits of these rows of residual [..., C], and of each what its target [rows] has.
  void look(const ConstTensor& residual, std::span<const int64_t> rows, const int32_t* targets);

  // Of what was looked at last, row by row [V].
  std::span<const float> logits(int64_t row) const {
    return std::span(logits_).subspan(row * vocabulary_, vocabulary_);
  }
  double maximum(int64_t row) const { return static_cast<double>(maximum_[row]); }
  double target_logit(int64_t row) const { return static_cast<double>(target_logit_[row]); }
  // log of the softmax's denominator: a probability is exp(logit - log_z).
  double log_z(int64_t row) const { return std::log(total_[row]) + maximum(row); }

 private:
  const Llama& model_;
  int64_t columns_, vocabulary_;
  std::vector<float> stream_, rstd_, logits_, maximum_, target_logit_;
  std::vector<double> total_;
};

}  // namespace cria
