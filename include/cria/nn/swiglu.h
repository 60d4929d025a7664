// out = down(silu(gate(x)) * up(x)) + addend. Source: GLU Variants (Shazeer, 2020).
#pragma once

#include <string>

#include "cria/nn/linear.h"

namespace cria {

struct SwiGluConfig {
  std::string name;  // "model.layers.0.mlp"
  int64_t hidden_size = 0, intermediate_size = 0;
  bool bias = false;
  double std = 0, residual_std = 0;  // of gate/up and of the down projection
  Precision precision = Precision::fp32;
};

struct SwiGlu {
  int64_t intermediate_size = 0;
  Linear gate_up_proj;  // gate_proj, up_proj
  Linear down_proj;

  struct Saved {
    Tensor gate_up;    // [N, 2F]
    Tensor activated;  // [N, F]: silu(gate) * up
    Linear::Saved gate_up_proj, down_proj;
  };

  SwiGlu() = default;
  SwiGlu(Parameters& parameters, const SwiGluConfig& config);

  Saved plan(Plan& plan, int64_t batch, int64_t time) const;

  // x [..., C] -> out [..., C]
  void forward(const ConstTensor& x, const Tensor& out, Saved& saved,
               const ConstTensor& addend = {}) const;
  void backward(const ConstTensor& dout, const ConstTensor& x, Saved& saved,
                const Tensor& dx) const;
};

}  // namespace cria
