#include "cria/base/rng.h"

#include <cmath>
#include <numbers>

namespace cria {
namespace {

double unit_interval(uint32_t high, uint32_t low) {
  const uint64_t bits = (uint64_t{high} << 32 | low) >> 11;
  return static_cast<double>(bits) * 0x1.0p-53;
}

// Box-Muller: r = sqrt(-2 ln u), (r cos 2 pi v, r sin 2 pi v); u in (0, 1] keeps the log finite.
std::array<double, 2> normal_pair(const std::array<uint32_t, 4>& words) {
  const double u = 1.0 - unit_interval(words[0], words[1]);
  const double v = unit_interval(words[2], words[3]);
  const double radius = std::sqrt(-2.0 * std::log(u));
  const double angle = 2.0 * std::numbers::pi * v;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

}  // namespace

std::array<uint32_t, 4> philox(uint64_t seed, uint64_t stream, uint64_t index) {
  std::array<uint32_t, 4> x = {static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32),
                               static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)};
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53u} * x[0];
    const uint64_t b = uint64_t{0xCD9E8D57u} * x[2];
    x = {static_cast<uint32_t>(b >> 32) ^ x[1] ^ key0, static_cast<uint32_t>(b),
         static_cast<uint32_t>(a >> 32) ^ x[3] ^ key1, static_cast<uint32_t>(a)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return x;
}

uint64_t fnv1a(std::string_view bytes, uint64_t hash) {
  for (const char byte : bytes) {
    hash ^= static_cast<unsigned char>(byte);
    hash *= 0x100000001b3u;
  }
  return hash;
}

uint32_t Rng::next() {
  if (used_ == 4) {
    block_ = philox(seed_, stream_, index_++);
    used_ = 0;
  }
  return block_[used_++];
}

double Rng::uniform() {
  const uint32_t high = next();
  return unit_interval(high, next());
}

uint64_t Rng::below(uint64_t bound) {
  // Rejects the incomplete last interval, so every residue is equally likely.
  const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  for (;;) {
    const uint64_t high = next();
    const uint64_t value = high << 32 | next();
    if (value < limit) return value % bound;
  }
}

double Rng::normal() {
  std::array<uint32_t, 4> words;
  for (uint32_t& word : words) word = next();
  return normal_pair(words)[0];
}

void fill_normal(float* out, uint64_t begin, uint64_t count, double std, uint64_t seed,
                 std::string_view stream) {
  const uint64_t id = fnv1a(stream);
  for (uint64_t i = begin; i < begin + count; ++i) {
    out[i - begin] = static_cast<float>(std * normal_pair(philox(seed, id, i / 2))[i % 2]);
  }
}

}  // namespace cria
