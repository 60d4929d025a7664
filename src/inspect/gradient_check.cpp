#include "inspect/gradient_check.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cria/base/rng.h"
#include "inspect/tensor_chunks.h"

namespace cria {
namespace {

void normalize(std::vector<float>& v) {
  const double norm = norm_of(v);
  if (norm == 0) return;
  for (float& x : v) x = static_cast<float>(x / norm);
}

// Differences that agree so well, in parts of the gradient's norm, are taken for the derivative.
constexpr double kSettled = 1e-3;

struct Derivative {
  double value = 0, uncertainty = std::numeric_limits<double>::infinity();
};

// From difference(h), whose error is about c h^2 until h is so small that rounding shows. unit: the
// size that the uncertainty is to be small against; rounding: how far off a loss may be. Long steps
// may agree with each other on a slope that is not the one at the point itself. So only what agrees
// with `expected` too ends the search, and an answer falls when shorter steps contradict it.
template <class Difference>
Derivative derivative(Difference&& difference, double h, double unit, double expected,
                      double rounding) {
  constexpr int kMostHalvings = 12;
  Derivative best;
  double wide = difference(h), before = 0;
  for (int halvings = 1; halvings <= kMostHalvings; ++halvings) {
    h /= 2;
    const double narrow = difference(h);
    const double value = (4 * narrow - wide) / 3;  // c h^2 is gone
    double uncertainty = std::abs(value - narrow);
    if (halvings > 1) uncertainty = std::min(uncertainty, std::abs(value - before));
    uncertainty += rounding / h;
    const bool contradicted = std::abs(value - best.value) > uncertainty + best.uncertainty;
    if (halvings == 1 || contradicted || uncertainty < best.uncertainty) {
      best = {value, uncertainty};
    }
    if (uncertainty <= kSettled * unit && std::abs(value - expected) <= 2 * kSettled * unit) break;
    before = value;
    wide = narrow;
  }
  return best;
}

// to_change: called before each change.
GradientCheck check(const std::string& name, const ConstTensor& value,
                    const std::function<Tensor()>& to_change, const ConstTensor& gradient,
                    const std::function<double()>& loss, uint64_t seed) {
  const size_t size = static_cast<size_t>(value.size());
  const std::vector<float> start(value.data, value.data + size);
  const std::vector<float> g(gradient.data, gradient.data + size);
  const double norm = norm_of(g);
  std::vector<float> direction(size);
  fill_normal(direction.data(), 0, size, 1.0, seed, "direction/" + name);
  normalize(direction);
  if (norm > 0) {
    for (size_t i = 0; i < size; ++i) direction[i] += static_cast<float>(g[i] / norm);
    normalize(direction);
  }
  double analytic = 0;
  for (size_t i = 0; i < size; ++i) analytic += static_cast<double>(g[i]) * direction[i];

  // (loss(w + h d) - loss(w - h d)) / 2h
  const auto difference = [&](double h) {
    double side[2];
    for (const int i : {0, 1}) {
      const double step = i == 0 ? h : -h;
      const Tensor changed = to_change();
      for (size_t j = 0; j < size; ++j) {
        changed.data[j] = static_cast<float>(start[j] + step * direction[j]);
      }
      side[i] = loss();
    }
    return (side[0] - side[1]) / (2 * h);
  };
  // The loss should change by about 0.02: far above its rounding, and little curvature.
  const double weight_scale = std::max(0.1, norm_of(start));
  const double height = std::max(std::abs(loss()), 1.0), wanted = 0.02 * height;
  // Of a sum of rounded numbers.
  const double rounding = 4 * height * static_cast<double>(std::numeric_limits<float>::epsilon());
  const double unit = norm > 0 ? norm : 1.0;
  const Derivative numeric =
      derivative(difference, std::min(0.1 * weight_scale, wanted / std::max(norm, 1e-12)), unit,
                 analytic, rounding);
  std::ranges::copy(start, to_change().data);
  return {.name = name,
          .shape = value.to_string(),
          .norm = norm,
          .analytic = analytic,
          .numeric = numeric.value,
          .error = std::abs(analytic - numeric.value) / unit,
          .uncertainty = numeric.uncertainty / unit};
}

}  // namespace

GradientCheck check_gradient(const std::string& name, const Tensor& value,
                             const ConstTensor& gradient, const std::function<double()>& loss,
                             uint64_t seed) {
  return check(
      name, value, [&] { return value; }, gradient, loss, seed);
}

GradientCheck check_gradient(Parameter& parameter, const std::function<double()>& loss,
                             uint64_t seed) {
  return check(
      parameter.name, parameter.value, [&] { return parameter.mutable_value(); }, parameter.grad,
      loss, seed);
}

GradientCheck::Verdict GradientCheck::verdict(double tolerance) const {
  if (error <= tolerance) return Verdict::ok;
  // The uncertainty is an estimate, and no bound.
  const bool explained = uncertainty > kSettled && error <= tolerance + 4 * uncertainty;
  return explained ? Verdict::unclear : Verdict::wrong;
}

std::vector<GradientCheck> check_gradients(Llama& model, const TokenIds& tokens,
                                           const TokenIds& targets, uint64_t seed) {
  const double count = static_cast<double>(tokens.size());
  Activations activations(model, Purpose::training, tokens.shape[0], tokens.shape[1]);
  Parameters& parameters = model.parameters();
  parameters.zero_gradients();
  // Every pass drops the same elements.
  const PassRandomness randomness = {.seed = seed, .pass = 0, .active = true};
  model.loss_and_gradient(
      activations, tokens, targets,
      {.randomness = randomness, .gradient_scale = static_cast<float>(1 / count)});
  const auto mean_loss = [&] {
    return model.loss_sum(activations, tokens, targets, {.randomness = randomness}) / count;
  };
  const EmbeddingOptions& options = model.embed_tokens().options;
  std::vector<GradientCheck> results;
  for (Parameter& parameter : parameters.slots()) {
    if (parameter.frozen) continue;
    // These gradients are not the derivative by definition: they are the mean of the uses, or a
    // part of it, or are taken as if rows had not been shortened.
    const bool defined =
        options.scale_grad_by_freq || options.max_norm || options.gradient_scale != 1;
    if (defined && &parameter == model.embed_tokens().weight) continue;
    results.push_back(check_gradient(parameter, mean_loss, seed));
  }
  parameters.zero_gradients();
  return results;
}

std::vector<GradientCheck> check_gradients(Llama& model, int64_t batch, int64_t time,
                                           uint64_t seed) {
  const int32_t vocabulary = static_cast<int32_t>(model.config().vocab_size);
  const int32_t padding =
      static_cast<int32_t>(model.embed_tokens().options.padding_idx.value_or(-1));
  std::vector<int32_t> tokens(batch * time), targets(batch * time);
  Rng rng(seed, "gradient_check");
  for (std::vector<int32_t>* ids : {&tokens, &targets}) {
    for (int32_t& id : *ids) {
      id = static_cast<int32_t>(rng.below(static_cast<uint64_t>(vocabulary)));
      if (id == padding) id = (id + 1) % vocabulary;
    }
  }
  return check_gradients(model, TokenIds(tokens.data(), {batch, time}),
                         TokenIds(targets.data(), {batch, time}), seed);
}

}  // namespace cria
