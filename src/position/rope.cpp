#include "position/rope.h"

#include <cmath>

namespace cria {

Rope::Table Rope::table(int64_t positions) const {
  const int64_t half = config_.head_dim / 2;
  const std::vector<double> frequencies = rope_frequencies(
      config_.rope_scaling, config_.head_dim, config_.rope_theta, config_.max_positions, positions);
  const double factor = rope_attention_factor(config_.rope_scaling);
  Table table{positions, std::vector<float>(positions * half),
              std::vector<float>(positions * half)};
  for (int64_t i = 0; i < half; ++i) {
    for (int64_t p = 0; p < positions; ++p) {
      const double angle = static_cast<double>(p) * frequencies[i];
      table.cos[p * half + i] = static_cast<float>(factor * std::cos(angle));
      table.sin[p * half + i] = static_cast<float>(factor * std::sin(angle));
    }
  }
  return table;
}

void Rope::prepare(int64_t count) {
  if (count > trained_.positions) trained_ = table(count);
}

void Rope::reserve(int64_t count) {
  longer_ = count > config_.max_positions ? table(count) : Table{};
}

void Rope::rotate(const Tensor& x, int64_t first, bool inverse) const {
  const Table& table =
      first + x.shape[1] <= config_.max_positions || !longer_.positions ? trained_ : longer_;
  require_prepared(first, x.shape[1], table.positions);
  const int64_t offset = first * (config_.head_dim / 2);
  kernels().rotary({.x = x.data,
                    .batch = x.shape[0],
                    .time = x.shape[1],
                    .heads = x.shape[2],
                    .head_dim = config_.head_dim,
                    .batch_stride = x.strides[0],
                    .row_stride = x.strides[1],
                    .cos = table.cos.data() + offset,
                    .sin = table.sin.data() + offset,
                    .inverse = inverse});
}

void Rope::on_qk(int64_t, const Tensor& q, const Tensor& k, int64_t first) const {
  rotate(q, first, false);
  rotate(k, first, false);
}

// The transpose of a rotation is the rotation back; the attention factor stays a factor.
void Rope::on_qk_backward(int64_t, const Tensor& dq, const Tensor& dk, int64_t first) const {
  rotate(dq, first, true);
  rotate(dk, first, true);
}

}  // namespace cria
