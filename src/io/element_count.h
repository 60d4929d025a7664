// How many elements a shape has that a file claims.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cria/base/error.h"
#include "cria/tensor/tensor.h"

namespace cria {

// The safetensors format's own bound for a dimension or an offset; nobody needs more elsewhere.
inline constexpr int64_t kMaxSize = int64_t{1} << 48;

// The elements of a tensor of this shape, no dimension of which is negative. Error from 2^54 on, so
// that their bytes, up to 512 for each, fit a signed number of 64 bits.
inline int64_t element_count(const std::vector<int64_t>& shape, const std::string& where) {
  constexpr int64_t kMaxElements = (int64_t{1} << 54) - 1;
  int64_t count = 1;
  for (const int64_t dimension : shape) {
    if (dimension != 0 && count > kMaxElements / dimension) {
      throw Error(
          "the shape is too large",
          {.where = where, .expected = "fewer than 2^54 elements", .got = shape_string(shape)});
    }
    count *= dimension;
  }
  return count;
}

}  // namespace cria
