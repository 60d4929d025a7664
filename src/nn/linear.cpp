#include "cria/nn/linear.h"

#include "cria/kernels/kernels.h"

namespace cria {

void multiply_weight(const ConstTensor& x, const ConstTensor& weight, const Tensor& y,
                     const ConstTensor& addend) {
  const int64_t in = weight.shape[1], out = weight.shape[0];
  kernels().gemm({.m = x.rows(),
                  .n = out,
                  .k = in,
                  .a = x.data,
                  .a_row = in,
                  .a_column = 1,
                  .b = weight.data,
                  .b_row = 1,
                  .b_column = in,
                  .c = y.data,
                  .c_row = out,
                  .addend = addend.data,
                  .addend_row = out});
}

void multiply_weight_backward_input(const ConstTensor& dy, const ConstTensor& weight,
                                    const Tensor& dx) {
  const int64_t in = weight.shape[1], out = weight.shape[0];
  kernels().gemm({.m = dy.rows(),
                  .n = in,
                  .k = out,
                  .a = dy.data,
                  .a_row = out,
                  .a_column = 1,
                  .b = weight.data,
                  .b_row = in,
                  .b_column = 1,
                  .c = dx.data,
                  .c_row = in,
                  .addend = nullptr,
                  .addend_row = 0});
}

void multiply_weight_backward_weight(const ConstTensor& dy, const ConstTensor& x,
                                     const Tensor& dweight) {
  const int64_t in = dweight.shape[1], out = dweight.shape[0];
  kernels().gemm({.m = out,
                  .n = in,
                  .k = dy.rows(),
                  .a = dy.data,
                  .a_row = 1,
                  .a_column = out,
                  .b = x.data,
                  .b_row = in,
                  .b_column = 1,
                  .c = dweight.data,
                  .c_row = in,
                  .addend = dweight.data,
                  .addend_row = in});
}

Linear::Linear(Parameters& parameters, std::span<const LinearOutput> outputs, int64_t in,
               bool has_bias, double std)
    : in_features(in) {
  std::vector<ParameterSpec> weights, biases;
  for (const LinearOutput& output : outputs) {
    weights.push_back({output.name + ".weight", {output.features, in}});
    biases.push_back({output.name + ".bias", {output.features}});
    out_features += output.features;
  }
  weight = parameters.add_group(weights, ParameterKind::matrix, {.std = std});
  if (has_bias) bias = parameters.add_group(biases, ParameterKind::bias, {});
}

void Linear::forward(const ConstTensor& x, const Tensor& out, Saved&,
                     const ConstTensor& addend) const {
  if (x.columns() != in_features || out.columns() != out_features || x.rows() != out.rows() ||
      (addend && addend.size() != out.size())) {
    throw_shape_error(
        "linear " + weight.front()->name,
        "[N, " + std::to_string(in_features) + "] -> [N, " + std::to_string(out_features) + "]",
        x.to_string() + " -> " + out.to_string());
  }
  multiply_weight(x, fused(weight, &Parameter::value), out, addend);
  if (!bias.empty()) {
    kernels().add_bias(out.rows(), out_features, fused(bias, &Parameter::value).data, out.data);
  }
}

void Linear::backward(const ConstTensor& dout, const ConstTensor& x, Saved&,
                      const Tensor& dx) const {
  multiply_weight_backward_weight(dout, x, fused(weight, &Parameter::grad));
  if (!bias.empty()) {
    kernels().bias_gradient(dout.rows(), out_features, dout.data,
                            fused(bias, &Parameter::grad).data);
  }
  multiply_weight_backward_input(dout, fused(weight, &Parameter::value), dx);
}

}  // namespace cria
