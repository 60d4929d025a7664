#include "cria/position/rope.h"

#include <cmath>

namespace cria {

Rope::Rope(const PositionConfig& config) : Position(config) {
  const int64_t head_dim = config.head_dim, max_positions = config.max_positions;
  const int64_t half = head_dim / 2;
  cos_.resize(max_positions * half);
  sin_.resize(max_positions * half);
  for (int64_t i = 0; i < half; ++i) {
    const double frequency =
        std::pow(config.rope_theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
    for (int64_t p = 0; p < max_positions; ++p) {
      const double angle = static_cast<double>(p) * frequency;
      cos_[p * half + i] = static_cast<float>(std::cos(angle));
      sin_[p * half + i] = static_cast<float>(std::sin(angle));
    }
  }
}

void Rope::rotate(const Tensor& x, int64_t first, bool inverse) const {
  if (first < 0 || first + x.shape[1] > config_.max_positions) {
    throw Error("position beyond the table",
                {.where = "rope",
                 .expected = "positions below " + std::to_string(config_.max_positions),
                 .got = std::to_string(first + x.shape[1] - 1),
                 .hint = "raise model.max_position_embeddings or shorten the sequence"});
  }
  const int64_t offset = first * (config_.head_dim / 2);
  kernels().rotary({.x = x.data,
                    .batch = x.shape[0],
                    .time = x.shape[1],
                    .heads = x.shape[2],
                    .head_dim = config_.head_dim,
                    .batch_stride = x.strides[0],
                    .row_stride = x.strides[1],
                    .cos = cos_.data() + offset,
                    .sin = sin_.data() + offset,
                    .inverse = inverse});
}

void Rope::on_qk(int64_t, const Tensor& q, const Tensor& k, int64_t first) const {
  rotate(q, first, false);
  rotate(k, first, false);
}

// The transpose of a rotation is the rotation back.
void Rope::on_qk_backward(int64_t, const Tensor& dq, const Tensor& dk, int64_t first) const {
  rotate(dq, first, true);
  rotate(dk, first, true);
}

}  // namespace cria
