#include "cria/train/gradient_check.h"

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

}  // namespace

std::vector<GradientCheck> check_gradients(Llama& model, int64_t batch, int64_t time,
                                           uint64_t seed) {
  const int64_t count = batch * time;
  std::vector<int32_t> tokens(count), targets(count);
  Rng rng(seed, "gradient_check");
  for (std::vector<int32_t>* ids : {&tokens, &targets}) {
    for (int32_t& id : *ids) {
      id = static_cast<int32_t>(rng.below(static_cast<uint64_t>(model.config().vocab_size)));
    }
  }
  const TokenIds inputs(tokens.data(), {batch, time}), outputs(targets.data(), {batch, time});
  Activations memory(model, Purpose::training, batch, time);
  Parameters& parameters = model.parameters();
  std::fill_n(parameters.grad(), parameters.plane_size(), 0.0f);
  model.loss_and_gradient(memory, inputs, outputs, 1.0f / static_cast<float>(count));

  std::vector<GradientCheck> results;
  for (Parameter& parameter : parameters.slots()) {
    const size_t size = static_cast<size_t>(parameter.value.size());
    const std::vector<float> start(parameter.value.data, parameter.value.data + size);
    const std::vector<float> gradient(parameter.grad.data, parameter.grad.data + size);
    const double norm = norm_of(gradient);
    std::vector<float> direction(size);
    fill_normal(direction.data(), 0, size, 1.0, seed, "direction/" + parameter.name);
    normalize(direction);
    if (norm > 0) {
      for (size_t i = 0; i < size; ++i) direction[i] += static_cast<float>(gradient[i] / norm);
      normalize(direction);
    }
    double analytic = 0;
    for (size_t i = 0; i < size; ++i) analytic += static_cast<double>(gradient[i]) * direction[i];

    // (loss(w + h d) - loss(w - h d)) / 2h, over the step that fp32 made of h d.
    const auto difference = [&](double h) {
      double loss[2];
      for (const int side : {0, 1}) {
        const double signed_step = side == 0 ? h : -h;
        for (size_t i = 0; i < size; ++i) {
          parameter.value.data[i] = static_cast<float>(start[i] + signed_step * direction[i]);
        }
        loss[side] = model.loss_sum(memory, inputs, outputs) / static_cast<double>(count);
      }
      return (loss[0] - loss[1]) / (2 * h);
    };
    // The loss should change by some 1e-2, far above its rounding, if the weights allow it.
    const double weight_scale = std::max(0.1, norm_of(start));
    const double h = std::min(0.1 * weight_scale, 0.02 / std::max(norm, 1e-12));
    const double numeric = (4 * difference(h / 2) - difference(h)) / 3;
    std::ranges::copy(start, parameter.value.data);
    const double error = std::abs(analytic - numeric) / (norm > 0 ? norm : 1.0);
    results.push_back(
        {parameter.name, parameter.value.to_string(), norm, analytic, numeric, error});
  }
  std::fill_n(parameters.grad(), parameters.plane_size(), 0.0f);
  return results;
}

}  // namespace cria
