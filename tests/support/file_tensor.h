// Tensors in memory that look as if they were in a file.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "exchange/tensor_file.h"

namespace cria {

inline FileTensor file_tensor(std::vector<float> values, std::vector<int64_t> shape,
                              const std::string& name = "x") {
  FileTensor tensor;
  tensor.name = name;
  tensor.dtype = "F32";
  tensor.shape = std::move(shape);
  tensor.where = "test: " + name;
  tensor.read = [values = std::move(values)](int64_t first, int64_t count, float* out) {
    std::copy_n(values.begin() + first, count, out);
  };
  return tensor;
}

inline FileTensor file_vector(std::vector<float> values) {
  const int64_t size = static_cast<int64_t>(values.size());
  return file_tensor(std::move(values), {size});
}

}  // namespace cria
