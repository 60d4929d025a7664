// The matrix products around a weight, of tensors.
#pragma once

#include "cria/kernels/kernels.h"
#include "cria/tensor/tensor.h"

namespace cria {

// The three products of a linear layer with weights [out, in]: y = x W^T, dx = dy W, dw += dy^T x.
// All arguments contiguous rows.
Gemm weight_product(const ConstTensor& x, const ConstTensor& weight, const Tensor& y,
                    Precision precision);
Gemm input_gradient_product(const ConstTensor& dy, const ConstTensor& weight, const Tensor& dx,
                            Precision precision);
Gemm weight_gradient_product(const ConstTensor& dy, const ConstTensor& x, const Tensor& dweight,
                             Precision precision);

}  // namespace cria
