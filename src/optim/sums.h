// Sums of gradients, which may be rounded to bf16: the upper half of a float, to nearest even.
#pragma once

#include <bit>
#include <cstdint>

namespace cria {

inline uint16_t to_bf16(float number) {
  const uint32_t bits = std::bit_cast<uint32_t>(number);
  if (number != number) return static_cast<uint16_t>(bits >> 16 | 0x40);  // not to become infinite
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

inline float from_bf16(uint16_t number) {
  return std::bit_cast<float>(uint32_t{number} << 16);
}

inline void round_to_bf16(float* numbers, int64_t count) {
  for (int64_t i = 0; i < count; ++i) numbers[i] = from_bf16(to_bf16(numbers[i]));
}

inline void add_to(float* __restrict sum, const float* __restrict other, int64_t count) {
  constexpr int64_t kBlock = 16;  // a number that the compiler knows: it makes vectors of it
  int64_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    for (int64_t j = 0; j < kBlock; ++j) sum[i + j] += other[i + j];
  }
  for (; i < count; ++i) sum[i] += other[i];
}

}  // namespace cria
