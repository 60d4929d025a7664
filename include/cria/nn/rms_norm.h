// y = weight * x / sqrt(mean(x^2) + eps), per row. Source: Zhang & Sennrich, 2019.
#pragma once

#include <string>

#include "cria/nn/layer.h"
#include "cria/tensor/parameters.h"

namespace cria {

struct RmsNorm {
  Parameter* weight = nullptr;  // [C]
  float eps = 0;

  struct Saved {
    Tensor rstd;  // [N]
  };

  RmsNorm() = default;
  // All weights start at initial. Error unless eps > 0.
  RmsNorm(Parameters& parameters, const std::string& name, int64_t columns, double eps,
          double initial = 1.0);

  Saved plan(Plan& plan, int64_t batch, int64_t time) const;

  // x [..., C] -> y [..., C]
  void forward(const ConstTensor& x, const Tensor& y, Saved& saved) const;

  // dweight += ..., dx = gradient + addend (addend: none, or the gradient that reaches x by another
  // path; dx itself to accumulate).
  void backward(const ConstTensor& dy, const ConstTensor& x, Saved& saved, const Tensor& dx,
                const ConstTensor& addend = {}) const;
};

}  // namespace cria
