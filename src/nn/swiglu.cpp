#include "cria/nn/swiglu.h"

#include "cria/kernels/kernels.h"

namespace cria {

SwiGlu::SwiGlu(Parameters& parameters, const SwiGluConfig& c)
    : intermediate_size(c.intermediate_size) {
  const LinearOutput gate_up[] = {{c.name + ".gate_proj", c.intermediate_size},
                                  {c.name + ".up_proj", c.intermediate_size}};
  gate_up_proj = Linear(parameters, gate_up, c.hidden_size, c.bias, c.std, c.precision);
  const LinearOutput down[] = {{c.name + ".down_proj", c.hidden_size}};
  down_proj = Linear(parameters, down, c.intermediate_size, c.bias, c.residual_std, c.precision);
}

SwiGlu::Saved SwiGlu::plan(Plan& plan, int64_t batch, int64_t time) const {
  return {.gate_up = plan.saved.take({batch * time, 2 * intermediate_size}),
          .activated = plan.saved.take({batch * time, intermediate_size}),
          .gate_up_proj = gate_up_proj.plan(plan, batch, time, Gemm::Epilogue::silu_mul),
          .down_proj = down_proj.plan(plan, batch, time)};
}

void SwiGlu::forward(const ConstTensor& x, const Tensor& out, Saved& saved,
                     const ConstTensor& addend) const {
  const int64_t rows = x.rows();
  const Tensor gate_up = within(saved.gate_up, {rows, 2 * intermediate_size});
  const Tensor activated = within(saved.activated, {rows, intermediate_size});
  Gemm product = gate_up_proj.product(x, gate_up);
  product.epilogue = Gemm::Epilogue::silu_mul;
  product.other = activated.data;
  saved.gate_up_proj.forward.multiply(product, gate_up_proj.version());
  down_proj.forward(activated, out, saved.down_proj, addend);
}

// With h = silu(g) u:  dh = dout W_down,  dg = dh u silu'(g),  du = dh silu(g),
// dx = [dg du] [W_gate; W_up].  dg, du take the place of g, u; h is used up.
void SwiGlu::backward(const ConstTensor& dout, const ConstTensor& x, Saved& saved,
                      const Tensor& dx) const {
  const int64_t rows = x.rows();
  const Tensor gate_up = within(saved.gate_up, {rows, 2 * intermediate_size});
  const Tensor activated = within(saved.activated, {rows, intermediate_size});
  down_proj.accumulate_gradients(dout, activated);
  Gemm dactivated = down_proj.input_gradient(dout, activated);
  dactivated.epilogue = Gemm::Epilogue::silu_mul_backward;
  dactivated.other = gate_up.data;
  saved.down_proj.backward.multiply(dactivated, down_proj.version());
  gate_up_proj.backward(gate_up, x, saved.gate_up_proj, dx);
}

}  // namespace cria
