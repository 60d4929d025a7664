// Rotary position embedding: q and k are rotated by an angle proportional to their position, so
// that q.k depends on the distance only.
#pragma once

#include "cria/position/position.h"

namespace cria {

// angle(p, i) = p * theta^(-2i/D), i = 0 .. D/2 - 1, pairs (i, i + D/2): the half-split form of
// Hugging Face. Source: RoFormer (Su et al., 2021).
class Rope : public Position {
 public:
  explicit Rope(const PositionConfig& config);

  void on_qk(int64_t layer, const Tensor& q, const Tensor& k, int64_t first) const override;
  void on_qk_backward(int64_t layer, const Tensor& dq, const Tensor& dk,
                      int64_t first) const override;

 private:
  void rotate(const Tensor& x, int64_t first, bool inverse) const;

  std::vector<float> cos_, sin_;  // [max_positions, D/2]
};

}  // namespace cria
