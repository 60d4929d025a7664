// Absolute positions: a vector for each position, added to the embedded token.
#pragma once

#include "cria/position/position.h"

namespace cria {

// A learned table: "model.embed_positions.weight" [max_positions, C]. Source: GPT-2, BERT.
class LearnedPositions : public Position {
 public:
  LearnedPositions(Parameters& parameters, const PositionConfig& config);

  void reserve(int64_t count) override;
  void on_embedding(const Tensor& x, int64_t first, const TokenIds& document_starts) const override;
  void on_embedding_backward(const Tensor& dx, int64_t first,
                             const TokenIds& document_starts) const override;

 private:
  Parameter* weight_;
};

// PE[p, 2i] = sin(p * 10000^(-2i/C)), PE[p, 2i+1] = cos of the same; C is even. Any position has
// one. Source: Vaswani et al., 2017.
class SinusoidalPositions : public Position {
 public:
  using Position::Position;

  void reserve(int64_t count) override;
  void on_embedding(const Tensor& x, int64_t first, const TokenIds& document_starts) const override;

 private:
  int64_t positions_ = 0;
  std::vector<float> table_;  // [positions, C]
};

}  // namespace cria
