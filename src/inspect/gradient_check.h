// Analytic gradients against numeric ones.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cria/model/llama.h"

namespace cria {

struct GradientCheck {
  std::string name;
  std::string shape;
  double norm;               // of the analytic gradient
  double analytic, numeric;  // derivative of the loss along one direction
  // Both are divided by the norm, unless that is 0.
  double error;        // |analytic - numeric|
  double uncertainty;  // how far off the numeric one may be

  // Unclear: the differences did not settle, and the error is no larger than that explains. What is
  // not a number is wrong.
  enum class Verdict { ok, unclear, wrong };
  Verdict verdict(double tolerance) const;
};

// The derivative of loss() along d = (g / |g| + r) / |...| in the space of `value`, g the analytic
// gradient and r a random unit vector, so that a missing as well as a superfluous part of g shows.
// Numerically: central differences with steps h and h/2, extrapolated (Richardson); where these two
// disagree with each other or with g, h is halved until they agree, or rounding drowns them. The
// passes are fp32: expect errors of 1e-5 to 1e-3. value is contiguous and is restored.
GradientCheck check_gradient(const std::string& name, const Tensor& value,
                             const ConstTensor& gradient, const std::function<double()>& loss,
                             uint64_t seed);

// The same of a parameter and the gradient that it holds.
GradientCheck check_gradient(Parameter& parameter, const std::function<double()>& loss,
                             uint64_t seed);

// Every parameter of a model, on tokens and targets [B,T], but those that are frozen, and
// the token table if its gradient is by definition not the derivative (scale_grad_by_freq,
// max_norm). The gradients are zero afterwards.
std::vector<GradientCheck> check_gradients(Llama& model, const TokenIds& tokens,
                                           const TokenIds& targets, uint64_t seed);

// The same on random tokens and targets, none of them the padding row, whose gradient by definition
// is not the derivative.
std::vector<GradientCheck> check_gradients(Llama& model, int64_t batch, int64_t time,
                                           uint64_t seed);

}  // namespace cria
