// What a model's position encoding does by itself. It is asked at each moment when it may act, with
// vectors whose answer shows it.
#pragma once

#include <cstdint>
#include <vector>

#include "cria/model/llama.h"

namespace cria {

class PositionProbe {
 public:
  // Of positions below `time`, which the model gets ready for, and of its first layer. Error where
  // the encoding does not go as far.
  PositionProbe(Llama& model, int64_t time);

  // Added to the embedded token at position p, component c < C. adds: it is not 0 throughout.
  bool adds() const { return adds_; }
  double added(int64_t p, int64_t c) const { return added_[p * columns_ + c]; }

  // What becomes of the first of the pair i < D/2 of a query's components (1, 0): the cosine of the
  // angle, times YaRN's factor. turns: queries become others from position to position.
  bool turns() const { return turns_; }
  double cosine(int64_t p, int64_t i) const { return turned_[p * 2 * pairs_ + i]; }

  // Added to the scores of head h by the distance d alone.
  bool has_bias() const { return tables_.bias.data != nullptr; }
  double bias(int64_t h, int64_t d) const { return tables_.bias(h, tables_.rows - 1 - d); }

  // Relative keys: a vector for each distance, with which queries are multiplied.
  bool has_keys() const { return tables_.keys.data != nullptr; }

  // How alike two places are to the model. adds: the cosine of the two vectors; turns: the score of
  // equal vectors at both, as a share of that at one place; relative keys: the cosine of those of
  // the distances a and b, over all heads; a bias: its mean over the heads, at the distance of a
  // and b. 0 for an encoding that does nothing.
  double likeness(int64_t a, int64_t b) const;

 private:
  int64_t heads_, columns_, pairs_;
  bool adds_ = false, turns_ = false;
  std::vector<float> added_;   // [T,C]
  std::vector<float> turned_;  // [T,D]
  Arena saved_, scratch_;
  RelativeTables tables_;
};

}  // namespace cria
