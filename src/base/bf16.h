// bfloat16, the upper half of an fp32.
#pragma once

#include <bit>
#include <cstdint>

namespace cria {

// Exact.
inline float from_bf16(uint16_t bits) {
  return std::bit_cast<float>(uint32_t{bits} << 16);
}

// Rounded to nearest, ties to even. Beyond the largest number is infinity; a NaN stays one, made
// quiet, with its sign and the upper part of its payload.
inline uint16_t to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
  return static_cast<uint16_t>(value != value ? bits >> 16 | 0x40u : rounded);
}

// numbers [count]
inline void round_to_bf16(float* numbers, int64_t count) {
  for (int64_t i = 0; i < count; ++i) numbers[i] = from_bf16(to_bf16(numbers[i]));
}

}  // namespace cria
