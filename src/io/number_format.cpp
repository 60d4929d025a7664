#include "cria/io/number_format.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/bf16.h"
#include "base/number.h"
#include "cria/base/error.h"
#include "cria/base/parallel.h"

namespace cria {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are copied as they are stored");

struct FormatInfo {
  const char* name;
  int64_t block;         // numbers
  uint64_t block_bytes;  // that they take
};
constexpr FormatInfo kFormats[] = {
    {"F32", 1, 4}, {"F16", 1, 2}, {"BF16", 1, 2}, {"Q8_0", 32, 34}};  // as NumberFormat

constexpr const FormatInfo& info(NumberFormat format) {
  return kFormats[static_cast<size_t>(format)];
}

constexpr uint32_t kInfinity = 0x7F800000u;  // fp32's, as bits

uint32_t magnitude_bits(float value) {
  return std::bit_cast<uint32_t>(value) & 0x7FFFFFFFu;
}

// Fewer numbers than these are not worth waking a thread for.
constexpr int64_t kConversionGrain = 1 << 15;

template <uint16_t (*kConvert)(float)>
void encode_halves(const float* source, int64_t count, char* out) {
  parallel_for(count, kConversionGrain, [=](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const uint16_t half = kConvert(source[i]);
      std::memcpy(out + 2 * i, &half, sizeof half);
    }
  });
}

template <float (*kConvert)(uint16_t)>
void decode_halves(const char* source, int64_t count, float* out) {
  parallel_for(count, kConversionGrain, [=](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      uint16_t half;
      std::memcpy(&half, source + 2 * i, sizeof half);
      out[i] = kConvert(half);
    }
  });
}

constexpr int64_t kBlock = info(NumberFormat::q8_0).block;

struct Q8Block {
  uint16_t scale;  // F16
  int8_t bytes[kBlock];
};
static_assert(sizeof(Q8Block) == 34);

// scale = max |x| / 127, byte = x / scale rounded to nearest, ties away from zero. As ggml computes
// it: with the reciprocal of the scale before that is rounded to F16. False when F16 has no such
// scale.
bool encode_block(const float* values, Q8Block& block) {
  // Magnitudes compare as integers like the numbers they are, and NaN is above infinity.
  uint32_t largest = 0;
  for (int64_t i = 0; i < kBlock; ++i) largest = std::max(largest, magnitude_bits(values[i]));
  const float scale = std::bit_cast<float>(largest) / 127.0f;
  block.scale = to_f16(scale);
  if ((block.scale & 0x7C00u) == 0x7C00u) return false;
  // A scale so small that it has no reciprocal is 0 as F16, and so is every number.
  float reciprocal = 1.0f / scale;
  if (magnitude_bits(reciprocal) >= kInfinity) reciprocal = 0.0f;
  for (int64_t i = 0; i < kBlock; ++i) {
    // |scaled| < 128, where the difference to the integer towards zero is exact.
    const float scaled = values[i] * reciprocal;
    const int32_t whole = static_cast<int32_t>(scaled);
    const float rest = scaled - static_cast<float>(whole);
    block.bytes[i] = static_cast<int8_t>(whole + (rest >= 0.5f) - (rest <= -0.5f));
  }
  return true;
}

void encode_blocks(const float* source, int64_t count, char* out, const std::string& where) {
  std::atomic<bool> fits = true;
  parallel_for(count / kBlock, kConversionGrain / kBlock, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      Q8Block block;
      if (!encode_block(source + i * kBlock, block)) fits = false;
      std::memcpy(out + i * static_cast<int64_t>(sizeof block), &block, sizeof block);
    }
  });
  if (!fits) {
    throw Error("Q8_0 cannot hold these numbers",
                {.where = where,
                 .expected = "finite numbers, none beyond 8.3 million",
                 .got = "an infinity, a NaN or a larger number",
                 .hint = "has training diverged? 'cria inspect' shows such tensors"});
  }
}

// Infinities and NaN are what they are as F16 too.
void require_f16_range(const float* source, int64_t count, const std::string& where) {
  for (int64_t i = 0; i < count; ++i) {
    if (!std::isfinite(source[i]) || std::isfinite(from_f16(to_f16(source[i])))) continue;
    throw Error("a number too large for F16", {.where = where,
                                               .expected = "none beyond 65504",
                                               .got = shortest_double(source[i]),
                                               .hint = "BF16 has the range of fp32"});
  }
}

void decode_blocks(const char* source, int64_t count, float* out) {
  parallel_for(count / kBlock, kConversionGrain / kBlock, [=](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      Q8Block block;
      std::memcpy(&block, source + i * static_cast<int64_t>(sizeof block), sizeof block);
      const float scale = from_f16(block.scale);
      for (int64_t j = 0; j < kBlock; ++j) {
        out[i * kBlock + j] = scale * static_cast<float>(block.bytes[j]);
      }
    }
  });
}

}  // namespace

const char* format_name(NumberFormat format) {
  return info(format).name;
}

int64_t block_size(NumberFormat format) {
  return info(format).block;
}

uint64_t encoded_bytes(NumberFormat format, int64_t count) {
  return static_cast<uint64_t>(count / info(format).block) * info(format).block_bytes;
}

// F16: 1 bit sign, 5 exponent (bias 15; 31 is infinity and NaN), 10 mantissa; fp32: 1, 8 (bias 127;
// 255), 23. An exponent of 0 means mantissa * 2^-24.
float from_f16(uint16_t bits) {
  const uint32_t sign = (bits & 0x8000u) << 16;
  const uint32_t exponent = bits >> 10 & 31u;
  const uint32_t mantissa = bits & 1023u;
  const uint32_t bias = exponent == 31 ? 255 - 31 : 127 - 15;
  const uint32_t normal = (exponent + bias) << 23 | mantissa << 13;
  const uint32_t subnormal =
      std::bit_cast<uint32_t>(static_cast<float>(static_cast<int32_t>(mantissa)) * 0x1p-24f);
  return std::bit_cast<float>(sign | (exponent == 0 ? subnormal : normal));
}

uint16_t to_f16(float value) {
  const uint32_t sign = std::bit_cast<uint32_t>(value) >> 16 & 0x8000u;
  const uint32_t magnitude = magnitude_bits(value);
  // 13 bits of the mantissa go. Half of their unit, less one bit when what stays is even, carries
  // into what stays, and from there into the exponent: up to infinity.
  const uint32_t rounded = magnitude + 0xFFFu + (magnitude >> 13 & 1u);
  const uint32_t normal = std::min((rounded - (112u << 23)) >> 13, 0x7C00u);
  // Below 2^-14 the unit is 2^-24, which is fp32's unit at 1/2: adding 1/2 rounds to it.
  const uint32_t subnormal =
      magnitude_bits(std::bit_cast<float>(magnitude) + 0.5f) - magnitude_bits(0.5f);
  const uint32_t nan = 0x7E00u | (magnitude >> 13 & 0x3FFu);
  const uint32_t finite = magnitude < 0x38800000u ? subnormal : normal;
  return static_cast<uint16_t>(sign | (magnitude > kInfinity ? nan : finite));
}

// bfloat16 is the upper half of an fp32.
void decode_numbers(NumberFormat format, const char* source, int64_t count, float* out) {
  if (count == 0) return;
  switch (format) {
    case NumberFormat::f32:
      std::memcpy(out, source, encoded_bytes(format, count));
      break;
    case NumberFormat::f16:
      decode_halves<from_f16>(source, count, out);
      break;
    case NumberFormat::bf16:
      decode_halves<from_bf16>(source, count, out);
      break;
    case NumberFormat::q8_0:
      decode_blocks(source, count, out);
      break;
  }
}

void encode_numbers(NumberFormat format, const float* source, int64_t count, char* out,
                    const std::string& where) {
  if (count == 0) return;
  switch (format) {
    case NumberFormat::f32:
      std::memcpy(out, source, encoded_bytes(format, count));
      break;
    case NumberFormat::f16:
      require_f16_range(source, count, where);
      encode_halves<to_f16>(source, count, out);
      break;
    case NumberFormat::bf16:
      encode_halves<to_bf16>(source, count, out);
      break;
    case NumberFormat::q8_0:
      encode_blocks(source, count, out, where);
      break;
  }
}

}  // namespace cria
