// The gradient of the token table in two parts: what comes from looking rows up, and what comes
// from the output head.
#pragma once

#include <vector>

#include "cria/model/llama.h"

namespace cria {

struct TableGradient {
  double lookup_l1 = 0, lookup_l2 = 0;  // sum of |g|; the 2-norm
  double head_l1 = 0, head_l2 = 0;
  double cosine = 0;  // of the two; NaN when one is 0

  bool operator==(const TableGradient&) const = default;
};

// Where the head is tied, both parts add up in one gradient. The lookup's is the scatter of what
// the backward pass has left, done once more into memory of its own; the head's is the rest. In a
// model with two tables each part is the gradient of one.
class TableGradientParts {
 public:
  explicit TableGradientParts(const Llama& model);

  // After each backward pass since the model's gradients were last zero; tokens: of that pass.
  void add(const Activations& memory, const TokenIds& tokens);

  // Both parts, of all passes added, and forgets them.
  TableGradient take();

 private:
  const Llama* model_;
  std::vector<float> lookup_;  // [V,C], when tied
};

}  // namespace cria
