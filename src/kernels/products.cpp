#include "kernels/products.h"

namespace cria {

Gemm weight_product(const ConstTensor& x, const ConstTensor& weight, const Tensor& y,
                    Precision precision) {
  const int64_t in = weight.shape[1], out = weight.shape[0];
  return {.m = x.rows(),
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
          .precision = precision};
}

Gemm input_gradient_product(const ConstTensor& dy, const ConstTensor& weight, const Tensor& dx,
                            Precision precision) {
  const int64_t in = weight.shape[1], out = weight.shape[0];
  return {.m = dy.rows(),
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
          .precision = precision};
}

Gemm weight_gradient_product(const ConstTensor& dy, const ConstTensor& x, const Tensor& dweight,
                             Precision precision) {
  const int64_t in = dweight.shape[1], out = dweight.shape[0];
  return {.m = out,
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
          .addend_row = in,
          .precision = precision};
}

}  // namespace cria
