#include "cria/position/absolute.h"

#include <cmath>

#include "cria/base/error.h"
#include "cria/base/parallel.h"

namespace cria {
namespace {

constexpr int64_t kRowGrain = 64;  // rows that are worth waking a thread for

// x[b,t] += table[first + t], x [B,T,C].
void add_rows(const Tensor& x, const float* table, int64_t first) {
  const int64_t time = x.shape[1], columns = x.shape[2];
  parallel_for(x.shape[0] * time, kRowGrain, [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      float* row = &x(n / time, n % time);
      const float* added = table + (first + n % time) * columns;
      for (int64_t c = 0; c < columns; ++c) row[c] += added[c];
    }
  });
}

}  // namespace

LearnedPositions::LearnedPositions(Parameters& parameters, const PositionConfig& config)
    : Position(config),
      weight_(&parameters.add(
          {"model.embed_positions.weight", {config.max_positions, config.hidden_size}},
          ParameterKind::embedding, {.std = config.std})) {}

void LearnedPositions::reserve(int64_t count) {
  if (count <= config_.max_positions) return;
  throw Error("learned positions end at " + std::to_string(config_.max_positions),
              {.where = "model.max_position_embeddings",
               .expected = "at most " + std::to_string(config_.max_positions) + " tokens",
               .got = std::to_string(count),
               .hint = "shorten the sequence, or train with it; every other model.position goes "
                       "beyond the length it was trained on"});
}

// x[b,t] += P[first + t]
void LearnedPositions::on_embedding(const Tensor& x, int64_t first) const {
  require_prepared(first, x.shape[1], config_.max_positions);
  add_rows(x, weight_->value.data, first);
}

// dP[first + t] += sum over b of dx[b,t], b = 0 first. A position has one writer.
void LearnedPositions::on_embedding_backward(const Tensor& dx, int64_t first) const {
  parallel_for(dx.shape[1], kRowGrain, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      float* gradient = &weight_->grad(first + t, 0);
      for (int64_t b = 0; b < dx.shape[0]; ++b) {
        const float* row = &dx(b, t);
        for (int64_t c = 0; c < dx.shape[2]; ++c) gradient[c] += row[c];
      }
    }
  });
}

SinusoidalPositions::SinusoidalPositions(const PositionConfig& config) : Position(config) {
  reserve(config.max_positions);
}

void SinusoidalPositions::reserve(int64_t count) {
  if (count <= positions_) return;
  const int64_t columns = config_.hidden_size;
  table_.resize(count * columns);
  for (int64_t c = 0; c < columns; c += 2) {
    const double frequency =
        std::pow(10000.0, -static_cast<double>(c) / static_cast<double>(columns));
    for (int64_t p = positions_; p < count; ++p) {
      const double angle = static_cast<double>(p) * frequency;
      table_[p * columns + c] = static_cast<float>(std::sin(angle));
      table_[p * columns + c + 1] = static_cast<float>(std::cos(angle));
    }
  }
  positions_ = count;
}

// x[b,t] += PE[first + t]
void SinusoidalPositions::on_embedding(const Tensor& x, int64_t first) const {
  require_prepared(first, x.shape[1], positions_);
  add_rows(x, table_.data(), first);
}

}  // namespace cria
