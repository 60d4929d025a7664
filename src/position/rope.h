// Rotary position embedding: q and k are rotated by an angle proportional to their position, so
// that q.k depends on the distance only.
#pragma once

#include "cria/position/position.h"

namespace cria {

// angle(p, i) = p * f_i with the frequencies f of rope_frequencies, pairs (i, i + D/2): the
// half-split form of Hugging Face. Source: RoFormer (Su et al., 2021).
class Rope : public Position {
 public:
  using Position::Position;

  void prepare(int64_t count) override;
  // Passes that end beyond max_positions take the frequencies of a sequence of count positions, all
  // of theirs; the last call counts. Passes within max_positions are as if it had never been
  // called.
  void reserve(int64_t count) override;

  void on_qk(int64_t layer, const Tensor& q, const Tensor& k, int64_t first) const override;
  void on_qk_backward(int64_t layer, const Tensor& dq, const Tensor& dk,
                      int64_t first) const override;

 private:
  struct Table {
    int64_t positions = 0;
    std::vector<float> cos, sin;  // [positions, D/2], times the attention factor
  };

  Table table(int64_t positions) const;
  void rotate(const Tensor& x, int64_t first, bool inverse) const;

  Table trained_, longer_;
};

}  // namespace cria
