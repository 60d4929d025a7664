#include "cria/optim/adamw.h"

#include <algorithm>
#include <cmath>

#include "cria/base/parallel.h"
#include "cria/kernels/kernels.h"

namespace cria {

AdamWOptimizer::AdamWOptimizer(Parameters& parameters, const AdamWConfig& config)
    : parameters_(&parameters), config_(config) {
  constexpr int64_t kPiece = 32 * 1024;  // floats: four planes of them fit a core's L2
  for (const Parameter& slot : parameters.slots()) {
    const bool decays = slot.kind == ParameterKind::matrix ||
                        (slot.kind == ParameterKind::embedding && config.decay_embeddings);
    const int64_t size = slot.value.size();
    for (int64_t begin = 0; begin < size; begin += kPiece) {
      pieces_.push_back({slot.offset + begin, std::min(kPiece, size - begin), decays});
    }
  }
  squares_.resize(pieces_.size());
}

double AdamWOptimizer::gradient_norm() {
  parallel_for(static_cast<int64_t>(pieces_.size()), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      squares_[i] =
          kernels().sum_of_squares(pieces_[i].count, parameters_->grad() + pieces_[i].offset);
    }
  });
  double total = 0;
  for (const double square : squares_) total += square;
  return std::sqrt(total);
}

void AdamWOptimizer::step(double learning_rate, double gradient_scale) {
  ++steps_;
  const double t = static_cast<double>(steps_);
  AdamW settings{};
  settings.grad_scale = static_cast<float>(gradient_scale);
  settings.beta1 = static_cast<float>(config_.beta1);
  settings.beta2 = static_cast<float>(config_.beta2);
  settings.eps = static_cast<float>(config_.eps);
  settings.step_size = static_cast<float>(learning_rate / (1 - std::pow(config_.beta1, t)));
  settings.v_scale = static_cast<float>(1 / std::sqrt(1 - std::pow(config_.beta2, t)));
  const float decay = static_cast<float>(1 - learning_rate * config_.weight_decay);
  parallel_for(static_cast<int64_t>(pieces_.size()), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      AdamW piece = settings;
      piece.p = parameters_->value() + pieces_[i].offset;
      piece.g = parameters_->grad() + pieces_[i].offset;
      piece.m = parameters_->m() + pieces_[i].offset;
      piece.v = parameters_->v() + pieces_[i].offset;
      piece.count = pieces_[i].count;
      piece.decay = pieces_[i].decays ? decay : 1.0f;
      kernels().adamw(piece);
    }
  });
}

double clip_factor(double norm, double max_norm) {
  return max_norm > 0 ? std::min(1.0, max_norm / (norm + 1e-6)) : 1.0;
}

}  // namespace cria
