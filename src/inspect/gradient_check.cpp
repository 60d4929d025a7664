#include "inspect/gradient_check.h"

#include <algorithm>
#include <cmath>

#include "cria/base/rng.h"

namespace cria {
namespace {

double norm_of(const std::vector<float>& v) {
  double square = 0;
  for (const float x : v) square += static_cast<double>(x) * x;
  return std::sqrt(square);
}

void normalize(std::vector<float>& v) {
  const double norm = norm_of(v);
  if (norm == 0) return;
  for (float& x : v) x = static_cast<float>(x / norm);
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
  const double wanted = 0.02 * std::max(std::abs(loss()), 1.0);
  const double h = std::min(0.1 * weight_scale, wanted / std::max(norm, 1e-12));
  const double numeric = (4 * difference(h / 2) - difference(h)) / 3;
  std::ranges::copy(start, to_change().data);
  return {name,     value.to_string(), norm,
          analytic, numeric,           std::abs(analytic - numeric) / (norm > 0 ? norm : 1.0)};
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

std::vector<GradientCheck> check_gradients(Llama& model, int64_t batch, int64_t time,
                                           uint64_t seed) {
  const int64_t count = batch * time;
  std::vector<int32_t> tokens(count), targets(count);
  const EmbeddingOptions& options = model.embed_tokens().options;
  const int32_t padding = static_cast<int32_t>(options.padding_idx.value_or(-1));
  Rng rng(seed, "gradient_check");
  for (std::vector<int32_t>* ids : {&tokens, &targets}) {
    for (int32_t& id : *ids) {
      id = static_cast<int32_t>(rng.below(static_cast<uint64_t>(model.config().vocab_size)));
      // The padding row has a derivative but by definition no gradient.
      if (id == padding) id = (id + 1) % static_cast<int32_t>(model.config().vocab_size);
    }
  }
  const TokenIds inputs(tokens.data(), {batch, time}), outputs(targets.data(), {batch, time});
  Activations memory(model, Purpose::training, batch, time);
  Parameters& parameters = model.parameters();
  parameters.zero_gradients();
  // Every pass drops the same elements.
  const PassRandomness randomness = {.seed = seed, .pass = 0, .active = true};
  model.loss_and_gradient(
      memory, inputs, outputs,
      {.randomness = randomness, .gradient_scale = 1.0f / static_cast<float>(count)});
  const auto mean_loss = [&] {
    return model.loss_sum(memory, inputs, outputs, {.randomness = randomness}) /
           static_cast<double>(count);
  };
  std::vector<GradientCheck> results;
  for (Parameter& parameter : parameters.slots()) {
    if (parameter.frozen) continue;
    // By definition not the derivative: the mean of the uses, as if rows had not been shortened, or
    // a part of it.
    const bool defined =
        options.scale_grad_by_freq || options.max_norm || options.gradient_scale != 1;
    if (defined && &parameter == model.embed_tokens().weight) continue;
    results.push_back(check_gradient(parameter, mean_loss, seed));
  }
  parameters.zero_gradients();
  return results;
}

}  // namespace cria
