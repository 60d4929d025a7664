#include "position/absolute.h"

#include <algorithm>
#include <cmath>

#include "cria/base/error.h"
#include "cria/base/parallel.h"

namespace cria {
namespace {

constexpr int64_t kColumnGrain = 64;  // columns, all rows of which are worth waking a thread for

int64_t position_of(int64_t b, int64_t t, int64_t first, const TokenIds& document_starts) {
  return first + t - (document_starts ? document_starts(b, t) : 0);
}

// x[b,t] += table[its position], x [B,T,C].
void add_rows(const Tensor& x, const float* table, int64_t first, const TokenIds& starts) {
  const int64_t time = x.shape[1], columns = x.shape[2];
  compute_for(x.shape[0] * time, std::max<int64_t>(1, kGrain / columns),
              [&](int64_t begin, int64_t end, int) {
                for (int64_t n = begin; n < end; ++n) {
                  float* row = &x(n / time, n % time);
                  const float* added =
                      table + position_of(n / time, n % time, first, starts) * columns;
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

// x[b,t] += P[position of b, t]
void LearnedPositions::on_embedding(const Tensor& x, int64_t first, const TokenIds& starts) const {
  require_prepared(first, x.shape[1], config_.max_positions);
  add_rows(x, weight_->value.data, first, starts);
}

// dP[position of b, t] += dx[b,t], in the order of b, then t. A column has one writer, as documents
// meet at a position in any row.
void LearnedPositions::on_embedding_backward(const Tensor& dx, int64_t first,
                                             const TokenIds& starts) const {
  if (weight_->frozen) return;
  compute_for(dx.shape[2], kColumnGrain, [&](int64_t begin, int64_t end, int) {
    for (int64_t b = 0; b < dx.shape[0]; ++b) {
      for (int64_t t = 0; t < dx.shape[1]; ++t) {
        float* gradient = &weight_->grad(position_of(b, t, first, starts), 0);
        const float* row = &dx(b, t);
        for (int64_t c = begin; c < end; ++c) gradient[c] += row[c];
      }
    }
  });
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

// x[b,t] += PE[position of b, t]
void SinusoidalPositions::on_embedding(const Tensor& x, int64_t first,
                                       const TokenIds& starts) const {
  require_prepared(first, x.shape[1], positions_);
  add_rows(x, table_.data(), first, starts);
}

}  // namespace cria
