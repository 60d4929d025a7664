// Random numbers that are a function of a key and an index: which elements dropout keeps. The same
// on every machine, whatever the width of its vectors, and in any order.
#pragma once

#include "cria/base/parallel.h"
#include "cria/kernels/kernels.h"
#include "kernels/generic/vector.h"

namespace cria::CRIA_ISA {
namespace {

typedef uint32_t WordVector
    __attribute__((vector_size(CRIA_VECTOR_FLOATS * sizeof(uint32_t)), aligned(sizeof(uint32_t))));

constexpr uint32_t kLaneNumbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

// A random word for each of the indices first .. first + kWidth - 1. Three rounds of what a hash of
// 32 bits does to spread them: multiply by an odd number, fold the high half into the low one. The
// key enters between the rounds. For keys that are random themselves: the last word of the key goes
// through one round only. Multipliers: 2^32 over the golden ratio, and MurmurHash3's (Appleby).
CRIA_INLINE WordVector random_words(const uint32_t (&key)[4], int64_t first) {
  const WordVector low_first = static_cast<uint32_t>(first) - WordVector{};
  const WordVector low = low_first + *reinterpret_cast<const WordVector*>(kLaneNumbers);
  // -1 in the lanes whose low word has begun again from 0.
  const WordVector carry = reinterpret_cast<WordVector>(low < low_first);
  WordVector x = (low ^ key[0]) * 0x9E3779B1u + key[1];
  x ^= x >> 16;
  x = (x ^ (static_cast<uint32_t>(first >> 32) + key[2] - carry)) * 0x85EBCA6Bu;
  x ^= x >> 13;
  x = (x + key[3]) * 0xC2B2AE35u;
  return x ^ (x >> 16);
}

// mask.scale where the element is kept, 0 where it is dropped; elements first .. first + kWidth
// - 1.
CRIA_INLINE Vector dropout_factors(const DropoutMask& mask, int64_t first) {
  // 24 bits, so that signed numbers compare: not all machines compare unsigned ones.
  const IntVector fraction = reinterpret_cast<IntVector>(random_words(mask.key, first) >> 8);
  const IntVector kept = reinterpret_cast<IntVector>(fraction < mask.kept - IntVector{});
  return reinterpret_cast<Vector>(kept & reinterpret_cast<IntVector>(broadcast(mask.scale)));
}

// row[j] becomes 0 or row[j] mask.scale, as the mask has it for element first + j.
CRIA_INLINE void drop_row(float* row, int64_t count, int64_t first, const DropoutMask& mask) {
  for_vectors(
      count, [&](int64_t j) { store(row + j, load(row + j) * dropout_factors(mask, first + j)); },
      [&](int64_t j, int64_t lanes) {
        store_part(row + j, load_part(row + j, lanes, 0) * dropout_factors(mask, first + j), lanes);
      });
}

inline void dropout(const ElementDropout& d) noexcept {
  // Pieces of whole vectors: where there are vectors never depends on the threads.
  static_assert(kGrain % kWidth == 0);
  compute_for(ceil_div(d.count, kGrain), 1, [&](int64_t begin, int64_t end, int) {
    const int64_t start = begin * kGrain, count = min(d.count, end * kGrain) - start;
    const float* x = d.x + start;
    const float* addend = d.addend ? d.addend + start : nullptr;
    float* out = d.out + start;
    const auto factors = [&](int64_t i) { return dropout_factors(d.mask, d.first + start + i); };
    for_vectors(
        count,
        [&](int64_t i) {
          Vector value = load(x + i) * factors(i);
          if (addend) value += load(addend + i);
          store(out + i, value);
        },
        [&](int64_t i, int64_t lanes) {
          Vector value = load_part(x + i, lanes, 0) * factors(i);
          if (addend) value += load_part(addend + i, lanes, 0);
          store_part(out + i, value, lanes);
        });
  });
}

}  // namespace
}  // namespace cria::CRIA_ISA
