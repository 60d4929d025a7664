// What the tensors in files are made of: numbers that are no fp32 yet, and their count in bytes.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "cria/base/error.h"
#include "cria/tensor/tensor.h"

namespace cria {

// The safetensors format's own bound for a dimension or an offset; nobody needs more elsewhere.
inline constexpr int64_t kMaxSize = int64_t{1} << 48;

// IEEE-754 binary16; every value is also an fp32 value.
inline float from_f16(uint16_t half) {
  const uint32_t sign = uint32_t{half & 0x8000u} << 16;
  const uint32_t exponent = half >> 10 & 31;
  const uint32_t mantissa = half & 1023;
  if (exponent == 0) {
    return std::copysign(static_cast<float>(mantissa) * 0x1p-24f, sign ? -1.0f : 1.0f);
  }
  const uint32_t wide_exponent = exponent == 31 ? 255 : exponent - 15 + 127;
  return std::bit_cast<float>(sign | wide_exponent << 23 | mantissa << 13);
}

// bfloat16 is the upper half of an fp32.
inline float from_bf16(uint16_t half) {
  return std::bit_cast<float>(uint32_t{half} << 16);
}

// Of a tensor of this shape, no dimension of which is negative. Error when it has 2^64 or more.
inline uint64_t byte_size(const std::vector<int64_t>& shape, uint64_t element_bytes,
                          const std::string& where) {
  uint64_t bytes = element_bytes;
  for (const int64_t dimension : shape) {
    const uint64_t factor = static_cast<uint64_t>(dimension);
    if (factor != 0 && bytes > UINT64_MAX / factor) {
      throw Error("the shape is too large",
                  {.where = where,
                   .expected = "fewer than 2^64 bytes",
                   .got = shape_string(shape.data(), static_cast<int>(shape.size()))});
    }
    bytes *= factor;
  }
  return bytes;
}

}  // namespace cria
