// The loss of a text, token by token.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cria/model/llama.h"

namespace cria {

class Scorer {
 public:
  // Passes of at most `window` tokens.
  Scorer(const Llama& model, int64_t window);

  // -log p of each of ids after all before it, natural log; NaN for the first, which nothing comes
  // before. What is longer than the window is read in windows that begin half of one apart, so that
  // a token has at least half a window before it.
  std::vector<double> losses(std::span<const int32_t> ids);

 private:
  const Llama* model_;
  int64_t window_;
  Activations activations_;
};

}  // namespace cria
