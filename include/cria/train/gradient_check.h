// Analytic gradients of a whole model against numeric ones.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cria/model/llama.h"

namespace cria {

struct GradientCheck {
  std::string name;  // of the parameter
  std::string shape;
  double norm;               // of its analytic gradient
  double analytic, numeric;  // derivative of the mean loss along one direction
  double error;              // |analytic - numeric| / norm; |numeric| when norm is 0
};

// For every parameter, the derivative along d = (g / |g| + r) / |...|, r a random unit vector, so
// that a missing as well as a superfluous part of the gradient g shows. Numerically: central
// differences with steps h and h/2, extrapolated (Richardson). The passes are fp32: expect errors
// of 1e-4 to 1e-3. tokens [B,T] and targets are random; the gradients are zero afterwards.
std::vector<GradientCheck> check_gradients(Llama& model, int64_t batch, int64_t time,
                                           uint64_t seed);

}  // namespace cria
