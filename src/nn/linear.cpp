#include "cria/nn/linear.h"

#include <algorithm>

#include "kernels/products.h"

namespace cria {

Linear::Linear(Parameters& parameters, std::span<const LinearOutput> outputs, int64_t in,
               bool has_bias, double std, Precision products)
    : in_features(in), precision(products) {
  std::vector<ParameterSpec> weights, biases;
  for (const LinearOutput& output : outputs) {
    weights.push_back({output.name + ".weight", {output.features, in}});
    biases.push_back({output.name + ".bias", {output.features}});
    out_features += output.features;
  }
  weight = parameters.add_group(weights, ParameterKind::matrix, {.std = std});
  if (has_bias) bias = parameters.add_group(biases, ParameterKind::bias, {});
}

Linear::Saved Linear::plan(Plan& plan, int64_t, int64_t, Gemm::Epilogue epilogue) const {
  return {PackedWeight(
              plan,
              {.n = out_features, .k = in_features, .precision = precision, .epilogue = epilogue}),
          PackedWeight(plan, {.n = in_features, .k = out_features, .precision = precision})};
}

Gemm Linear::product(const ConstTensor& x, const Tensor& out, const ConstTensor& addend) const {
  if (x.columns() != in_features || out.columns() != out_features || x.rows() != out.rows() ||
      (addend && addend.size() != out.size())) {
    throw_shape_error(
        "linear " + weight.front()->name,
        "[N, " + std::to_string(in_features) + "] -> [N, " + std::to_string(out_features) + "]",
        x.to_string() + " -> " + out.to_string());
  }
  Gemm product = weight_product(x, fused(weight, &Parameter::value), out, precision);
  product.addend = addend.data;
  product.addend_row = out_features;
  if (!bias.empty()) product.bias = fused(bias, &Parameter::value).data;
  return product;
}

Gemm Linear::input_gradient(const ConstTensor& dout, const Tensor& dx) const {
  return input_gradient_product(dout, fused(weight, &Parameter::value), dx, precision);
}

// A later change has a larger number.
int64_t Linear::version() const {
  int64_t latest = 0;
  for (const Parameter* part : weight) latest = std::max(latest, part->version);
  return latest;
}

// dW += dout^T x, db += sum over the rows of dout: one product for all outputs; where some are
// frozen, one for each other, of its columns of dout.
void Linear::accumulate_gradients(const ConstTensor& dout, const ConstTensor& x) const {
  const auto is_frozen = [](const Parameter* part) { return part->frozen; };
  if (std::ranges::none_of(weight, is_frozen)) {
    kernels().gemm(weight_gradient_product(dout, x, fused(weight, &Parameter::grad), precision));
  } else {
    int64_t first = 0;
    for (const Parameter* part : weight) {
      if (!part->frozen) {
        Gemm product = weight_gradient_product(dout, x, part->grad, precision);
        product.a += first;
        product.a_column = out_features;
        kernels().gemm(product);
      }
      first += part->grad.shape[0];
    }
  }
  if (bias.empty() || std::ranges::all_of(bias, is_frozen)) return;
  kernels().add_rows_sum(dout.rows(), out_features, dout.data, fused(bias, &Parameter::grad).data);
  for (const Parameter* part : bias) {
    if (part->frozen) std::fill_n(part->grad.data, part->grad.size(), 0.0f);
  }
}

void Linear::forward(const ConstTensor& x, const Tensor& out, Saved& saved,
                     const ConstTensor& addend) const {
  saved.forward.multiply(product(x, out, addend), version());
}

void Linear::backward(const ConstTensor& dout, const ConstTensor& x, Saved& saved,
                      const Tensor& dx) const {
  accumulate_gradients(dout, x);
  saved.backward.multiply(input_gradient(dout, dx), version());
}

}  // namespace cria
