// NumPy's .npy files. Format: NEP 1, versions 1.0 to 3.0.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace cria {

struct NpyArray {
  std::vector<int64_t> shape;  // [] for a scalar
  std::vector<float> values;   // row-major, whatever the order in the file
};

// Reads float16, float32 and float64 of either byte order, float64 rounded to fp32; Fortran order
// up to two dimensions. Error naming the file and what is wrong for anything else (a pickle is
// never opened), for a file that is not exactly as long as its header says, and for a float64 that
// fp32 cannot hold.
NpyArray read_npy(const std::string& path);

// Writes version 1.0, row-major. Error when the values are not as many as the shape says. Atomic.
void write_npy(const std::string& path, const std::vector<int64_t>& shape,
               std::span<const float> values);

// What stands before the values, which follow as they lie in memory.
std::string npy_header(const std::vector<int64_t>& shape, std::span<const float> values,
                       const std::string& where);

}  // namespace cria
