#include "cria/nn/rms_norm.h"

#include <algorithm>

#include "cria/kernels/kernels.h"

namespace cria {

RmsNorm::RmsNorm(Parameters& parameters, const std::string& name, int64_t columns, double epsilon,
                 double initial)
    : weight(&parameters.add({name, {columns}}, ParameterKind::norm,
                             {.constant = static_cast<float>(initial)})),
      eps(static_cast<float>(epsilon)) {
  // A row of zeros would be divided by zero.
  if (!(eps > 0)) {
    throw Error(
        "not possible",
        {.where = name + ": eps", .expected = "more than 0", .got = std::to_string(epsilon)});
  }
}

RmsNorm::Saved RmsNorm::plan(Plan& plan, int64_t batch, int64_t time) const {
  return {plan.saved.take({batch * time})};
}

void RmsNorm::forward(const ConstTensor& x, const Tensor& y, Saved& saved) const {
  if (x.columns() != weight->value.size() || y.size() != x.size()) {
    throw_shape_error("rms_norm " + weight->name, "[N, " + weight->value.to_string() + "]",
                      x.to_string() + " -> " + y.to_string());
  }
  const Tensor rstd = within(saved.rstd, {x.rows()});
  kernels().rms_norm_forward({.rows = x.rows(),
                              .columns = x.columns(),
                              .x = x.data,
                              .weight = weight->value.data,
                              .eps = eps,
                              .y = y.data,
                              .rstd = rstd.data});
}

void RmsNorm::backward(const ConstTensor& dy, const ConstTensor& x, Saved& saved, const Tensor& dx,
                       const ConstTensor& addend) const {
  kernels().rms_norm_backward({.rows = x.rows(),
                               .columns = x.columns(),
                               .x = x.data,
                               .weight = weight->value.data,
                               .rstd = saved.rstd.data,
                               .dy = dy.data,
                               .addend = addend.data,
                               .dx = dx.data,
                               .dweight = weight->grad.data});
  // The kernel makes it on its way to dx.
  if (weight->frozen) std::fill_n(weight->grad.data, weight->grad.size(), 0.0f);
}

}  // namespace cria
