// A matrix out of a file of tensors: the rows of a pretrained embedding, say.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cria {

struct Matrix {
  int64_t rows = 0, columns = 0;
  std::vector<float> values;  // [rows, columns]
};

// source: "FILE.npy", "FILE.safetensors" when one of its tensors only is a matrix of floats, or
// "FILE.safetensors:TENSOR". Error naming the file, the tensor and its shape when it is no matrix.
Matrix read_matrix(const std::string& source);

}  // namespace cria
