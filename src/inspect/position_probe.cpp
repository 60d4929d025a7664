#include "inspect/position_probe.h"

#include <algorithm>
#include <cmath>

#include "inspect/tensor_chunks.h"

namespace cria {
namespace {

double cosine_between(const float* a, const float* b, int64_t count) {
  return dot(a, b, count) / std::sqrt(dot(a, a, count) * dot(b, b, count));
}

}  // namespace

PositionProbe::PositionProbe(Llama& model, int64_t time) {
  const ModelConfig& c = model.config();
  const Position& position = *model.input().position;
  if (time > c.max_position_embeddings) model.reserve_positions(time);
  model.prepare_positions(time);
  heads_ = c.num_attention_heads;
  columns_ = c.hidden_size;
  pairs_ = c.head_dim / 2;

  added_.resize(time * columns_);
  position.on_embedding(Tensor(added_.data(), {1, time, columns_}), 0, {});
  adds_ = std::ranges::any_of(added_, [](float value) { return value != 0; });

  // All heads are turned the same way: the first one's.
  const int64_t dim = c.head_dim;
  std::vector<float> q(time * heads_ * dim), k(time * c.num_key_value_heads * dim);
  for (int64_t n = 0; n < time * heads_; ++n) std::fill_n(&q[n * dim], pairs_, 1.0f);
  position.on_qk(0, Tensor(q.data(), {1, time, heads_, dim}),
                 Tensor(k.data(), {1, time, c.num_key_value_heads, dim}), 0);
  for (int64_t p = 0; p < time; ++p) {
    turned_.insert(turned_.end(), &q[p * heads_ * dim], &q[p * heads_ * dim] + dim);
    turns_ = turns_ || !std::equal(turned_.begin(), turned_.begin() + dim, turned_.end() - dim);
  }

  position.plan_tables(saved_, scratch_, 0, time);
  for (Arena* const arena : {&saved_, &scratch_}) arena->allocate("tables of positions");
  tables_ = position.plan_tables(saved_, scratch_, 0, time);
  if (tables_.rows > 0) position.on_scores(0, tables_, time);
}

double PositionProbe::likeness(int64_t a, int64_t b) const {
  if (adds_) return cosine_between(&added_[a * columns_], &added_[b * columns_], columns_);
  if (turns_) {
    const int64_t dim = 2 * pairs_;
    return dot(&turned_[a * dim], &turned_[b * dim], dim) / dot(&turned_[0], &turned_[0], dim);
  }
  if (has_keys()) {
    const int64_t last = tables_.rows - 1;
    return cosine_between(&tables_.keys(last - a), &tables_.keys(last - b),
                          tables_.keys.shape[1] * tables_.keys.shape[2]);
  }
  if (!has_bias()) return 0;
  double sum = 0;
  for (int64_t h = 0; h < heads_; ++h) sum += bias(h, std::abs(a - b));
  return sum / static_cast<double>(heads_);
}

}  // namespace cria
