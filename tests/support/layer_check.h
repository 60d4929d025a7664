// Runs any layer (see nn/layer.h) on random input, and checks its gradients by finite differences.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cria/kernels/kernels.h"
#include "cria/nn/layer.h"
#include "cria/tensor/parameters.h"
#include "inspect/gradient_check.h"
#include "support/random.h"

namespace cria {

// A layer with memory of its own.
template <Layer L>
class LayerRun {
 public:
  LayerRun(const L& layer, int64_t batch, int64_t time, const PassContext& pass = {})
      : layer_(layer), pass_(pass) {
    reserve_kernel_memory();
    saved_ = layer.plan(plan_, batch, time);
    plan_.saved.allocate("test");
    plan_.scratch.allocate("test");
    saved_ = layer.plan(plan_, batch, time);
  }

  typename L::Saved& saved() { return saved_; }

  template <class... Addend>
  void forward(const ConstTensor& x, const Tensor& y, const Addend&... addend) {
    if constexpr (requires { layer_.forward(x, y, saved_, pass_, addend...); }) {
      layer_.forward(x, y, saved_, pass_, addend...);
    } else {
      layer_.forward(x, y, saved_, addend...);
    }
  }

  void backward(const ConstTensor& dout, const ConstTensor& x, const Tensor& dx) {
    if constexpr (requires { layer_.backward(dout, x, saved_, pass_, dx); }) {
      layer_.backward(dout, x, saved_, pass_, dx);
    } else {
      layer_.backward(dout, x, saved_, dx);
    }
  }

 private:
  const L& layer_;
  PassContext pass_;
  Plan plan_;
  typename L::Saved saved_;
};

// fp32 passes: sums carry an error of about 1e-6, and the differences are of losses 0.02 apart,
// so 1e-4 is what rounding alone may leave; curvature that the extrapolation misses adds to it. A
// wrong term in a formula is off by 1e-1.
inline constexpr double kGradientTolerance = 2e-3;

inline void expect_gradient(const GradientCheck& check) {
  EXPECT_LT(check.error, kGradientTolerance)
      << check.name << " " << check.shape << ": analytic " << check.analytic << ", numeric "
      << check.numeric << ", norm " << check.norm;
  EXPECT_GT(check.norm, 0) << check.name;
}

// loss = sum(out * random), in double: its gradient by the layer's backward against differences,
// for the input [B, T, in] and every parameter.
template <Layer L>
void expect_layer_gradients(const L& layer, Parameters& parameters, int64_t batch, int64_t time,
                            int64_t in, int64_t out, const PassContext& pass = {}) {
  LayerRun<L> run(layer, batch, time, pass);
  std::vector<float> x = normal_values(batch * time * in, "x");
  const std::vector<float> dout = normal_values(batch * time * out, "dout");
  std::vector<float> y(dout.size()), dx(x.size());
  const Tensor x_view(x.data(), {batch, time, in}), y_view(y.data(), {batch, time, out});
  const Tensor dx_view(dx.data(), {batch, time, in});
  const ConstTensor dout_view(dout.data(), {batch, time, out});
  const auto loss = [&] {
    run.forward(x_view, y_view);
    double total = 0;
    for (size_t i = 0; i < y.size(); ++i) total += static_cast<double>(y[i]) * dout[i];
    return total;
  };
  parameters.zero_gradients();
  loss();
  run.backward(dout_view, x_view, dx_view);
  expect_gradient(check_gradient("input", x_view, dx_view, loss, 3));
  for (Parameter& parameter : parameters.slots()) {
    expect_gradient(check_gradient(parameter, loss, 3));
  }
}

// Values that make every parameter matter: weights and biases N(0, std^2), norms around 1.
inline void randomize(Parameters& parameters, double std) {
  parameters.allocate();
  for (Parameter& slot : parameters.slots()) {
    const Tensor value = slot.mutable_value();
    fill_normal(value.data, 0, value.size(), std, 7, slot.name);
    if (slot.kind != ParameterKind::norm) continue;
    for (int64_t i = 0; i < value.size(); ++i) value.data[i] += 1.0f;
  }
}

}  // namespace cria
