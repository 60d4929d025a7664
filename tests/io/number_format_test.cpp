#include "cria/io/number_format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "base/bf16.h"
#include "cria/base/error.h"
#include "cria/base/rng.h"
#include "support/errors.h"
#include "support/threads.h"

namespace cria {
namespace {

uint32_t bits_of(float value) {
  return std::bit_cast<uint32_t>(value);
}

std::string encoded(NumberFormat format, const std::vector<float>& values) {
  const int64_t count = static_cast<int64_t>(values.size());
  std::string bytes(encoded_bytes(format, count), '?');
  encode_numbers(format, values.data(), count, bytes.data(), "here");
  return bytes;
}

std::vector<float> decoded(NumberFormat format, const std::string& bytes, size_t count) {
  std::vector<float> values(count);
  decode_numbers(format, bytes.data(), static_cast<int64_t>(count), values.data());
  return values;
}

constexpr NumberFormat kAll[] = {NumberFormat::f32, NumberFormat::f16, NumberFormat::bf16,
                                 NumberFormat::q8_0};

TEST(NumberFormat, SaysWhatItTakes) {
  std::string all;
  for (const NumberFormat format : kAll) {
    all += std::string(format_name(format)) + " " + std::to_string(block_size(format)) + " " +
           std::to_string(encoded_bytes(format, int64_t{1} << 40)) + "; ";
  }
  EXPECT_EQ(all,
            "F32 1 4398046511104; F16 1 2199023255552; BF16 1 2199023255552; "
            "Q8_0 32 1168231104512; ");
}

// All 65536 of them against their definition, (-1)^s * m * 2^e.
TEST(NumberFormat, EveryF16IsItsDefinition) {
  for (int bits = 0; bits < 65536; ++bits) {
    const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    double expected =
        exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    if (exponent == 31) expected = mantissa == 0 ? INFINITY : NAN;
    const float value = from_f16(static_cast<uint16_t>(bits));
    ASSERT_EQ(std::signbit(value), bits >= 0x8000) << bits;
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(value)) << bits;
    } else {
      ASSERT_EQ(std::fabs(value), expected) << bits;
    }
  }
}

// All patterns there and back; a NaN comes back quiet.
TEST(NumberFormat, EveryHalfComesBack) {
  for (uint32_t i = 0; i < 65536; ++i) {
    const uint16_t bits = static_cast<uint16_t>(i);
    const bool f16_nan = (bits & 0x7FFFu) > 0x7C00u, bf16_nan = (bits & 0x7FFFu) > 0x7F80u;
    ASSERT_EQ(to_f16(from_f16(bits)), f16_nan ? bits | 0x200u : bits) << i;
    ASSERT_EQ(bits_of(from_bf16(bits)), i << 16);
    ASSERT_EQ(to_bf16(from_bf16(bits)), bf16_nan ? bits | 0x40u : bits) << i;
  }
}

// Between each number and the next, the middle goes to the even one, and all else to the nearer
// one. What would come after the largest number is where infinity begins.
TEST(NumberFormat, F16RoundsToNearestEven) {
  for (uint16_t low = 0; low < 0x7C00; ++low) {
    const uint16_t high = static_cast<uint16_t>(low + 1);
    const float next = high == 0x7C00 ? 65536.0f : from_f16(high);
    const float middle = (from_f16(low) + next) / 2;  // exact
    const uint16_t even = low % 2 == 0 ? low : high;
    for (const float sign : {1.0f, -1.0f}) {
      const uint32_t sign_bit = sign < 0 ? 0x8000u : 0u;
      ASSERT_EQ(to_f16(sign * middle), sign_bit | even) << low;
      ASSERT_EQ(to_f16(sign * std::nextafter(middle, 0.0f)), sign_bit | low) << low;
      ASSERT_EQ(to_f16(sign * std::nextafter(middle, INFINITY)), sign_bit | high) << low;
    }
  }
  for (const float large : {65536.0f, 1e9f, 0x1.fffffep127f, INFINITY}) {
    EXPECT_EQ(to_f16(large), 0x7C00);
    EXPECT_EQ(to_f16(-large), 0xFC00);
  }
  for (const uint32_t tiny : {0u, 1u, 0x007FFFFFu, 0x00800000u, 0x33000000u}) {  // up to 2^-25
    EXPECT_EQ(to_f16(std::bit_cast<float>(tiny)), 0x0000) << tiny;
    EXPECT_EQ(to_f16(std::bit_cast<float>(tiny | 0x80000000u)), 0x8000) << tiny;
  }
}

// The same, in bits, since the middle below infinity is larger than half of any fp32.
TEST(NumberFormat, Bf16RoundsToNearestEven) {
  for (uint32_t low = 0; low < 0x7F80u; ++low) {
    const uint32_t middle = low << 16 | 0x8000u, even = low + low % 2;
    for (const uint32_t sign : {0u, 0x8000u}) {
      const auto rounded = [&](uint32_t bits) {
        return to_bf16(std::bit_cast<float>(sign << 16 | bits));
      };
      ASSERT_EQ(rounded(middle), sign | even) << low;
      ASSERT_EQ(rounded(middle - 1), sign | low) << low;
      ASSERT_EQ(rounded(middle + 1), sign | (low + 1)) << low;
    }
  }
}

TEST(NumberFormat, NanStaysNan) {
  for (const uint32_t bits : {0x7F800001u, 0x7FC00000u, 0x7FFFFFFFu, 0xFF800001u, 0xFFFFFFFFu}) {
    const float nan = std::bit_cast<float>(bits);
    EXPECT_TRUE(std::isnan(from_f16(to_f16(nan)))) << bits;
    EXPECT_TRUE(std::isnan(from_bf16(to_bf16(nan)))) << bits;
    EXPECT_EQ(to_f16(nan) >> 15, bits >> 31);
    EXPECT_EQ(to_bf16(nan) >> 15, bits >> 31);
  }
  EXPECT_EQ(to_f16(std::bit_cast<float>(0x7FC02000u)), 0x7E01);
  EXPECT_EQ(to_bf16(std::bit_cast<float>(0x7FC10000u)), 0x7FC1);
}

// A block whose scale is 1: halves round away from zero, and all else to the nearest.
TEST(NumberFormat, Q8RoundsHalvesAwayFromZero) {
  std::vector<float> values(64);
  const std::vector<float> first = {127.0f,      0.5f,    -0.5f,      1.5f,  -2.5f,
                                    0.49999997f, -126.5f, 126.49999f, -0.0f, 0.25f};
  std::copy(first.begin(), first.end(), values.begin());
  values[32] = -63.5f;  // a scale of 1/2
  values[33] = 0.25f;
  values[34] = 63.25f;
  const std::string bytes = encoded(NumberFormat::q8_0, values);
  ASSERT_EQ(bytes.size(), 68u);
  EXPECT_EQ(bytes.substr(0, 2), std::string("\x00\x3C", 2));
  const int expected[] = {127, 1, -1, 2, -3, 0, -127, 126, 0, 0, 0};
  for (size_t i = 0; i < std::size(expected); ++i) EXPECT_EQ(bytes[2 + i], expected[i]) << i;
  EXPECT_EQ(bytes.substr(34, 5), std::string("\x00\x38\x81\x01\x7F", 5));
  EXPECT_EQ(decoded(NumberFormat::q8_0, bytes, 64)[34], 63.5f);
}

// Against the formula, by the library's rounding.
TEST(NumberFormat, Q8IsItsFormula) {
  for (const float magnitude : {1.0f, 1e-3f, 1e-6f, 1e-30f, 8e5f}) {
    std::vector<float> values(32 * 100);
    fill_normal(values.data(), 0, values.size(), magnitude, 1, "q8");
    const std::string bytes = encoded(NumberFormat::q8_0, values);
    for (size_t block = 0; block < 100; ++block) {
      const float* const x = values.data() + 32 * block;
      float largest = 0;
      for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(x[i]));
      const float scale = largest / 127.0f, reciprocal = 1.0f / scale;
      uint16_t stored;
      std::memcpy(&stored, bytes.data() + 34 * block, 2);
      ASSERT_EQ(stored, to_f16(scale));
      for (size_t i = 0; i < 32; ++i) {
        ASSERT_EQ(bytes[34 * block + 2 + i], static_cast<int>(std::round(x[i] * reciprocal)));
      }
    }
  }
}

TEST(NumberFormat, Q8AtTheEdges) {
  std::vector<float> values(32, 0.0f);
  EXPECT_EQ(encoded(NumberFormat::q8_0, values), std::string(34, '\0'));
  // Scales without a reciprocal.
  for (const float tiny : {1e-45f, 1e-38f, 3e-37f}) {
    values[3] = tiny;
    EXPECT_EQ(encoded(NumberFormat::q8_0, values), std::string(34, '\0')) << tiny;
  }
  values[3] = 65504.0f * 127.0f;
  EXPECT_EQ(decoded(NumberFormat::q8_0, encoded(NumberFormat::q8_0, values), 32), values);
  for (const float bad : {65520.0f * 127.0f, INFINITY, -INFINITY, NAN}) {
    values[3] = bad;
    EXPECT_EQ(error_of([&] { encoded(NumberFormat::q8_0, values); }).substr(0, 41),
              "here: Q8_0 cannot hold these numbers\n  ex");
  }
}

TEST(NumberFormat, F16RefusesWhatWouldBecomeInfinite) {
  const std::vector<float> fits = {65519.0f, -65519.0f, INFINITY, -INFINITY};
  EXPECT_EQ(decoded(NumberFormat::f16, encoded(NumberFormat::f16, fits), 4),
            (std::vector<float>{65504.0f, -65504.0f, INFINITY, -INFINITY}));
  encoded(NumberFormat::f16, {NAN});
  EXPECT_EQ(error_of([] {
              encoded(NumberFormat::f16, {1.0f, -65520.0f});
            }),
            "here: a number too large for F16\n  expected: none beyond 65504\n  got: -65520.0\n"
            "  hint: BF16 has the range of fp32");
}

// Unaligned, and by any number of threads.
TEST(NumberFormat, BitsDependOnNothingElse) {
  std::vector<float> values(32 * 5001);
  fill_normal(values.data(), 0, values.size(), 2.0, 7, "numbers");
  for (const NumberFormat format : kAll) {
    std::string bytes;
    std::vector<float> back;
    for (const int threads : {1, 2, 3}) {
      const ThreadCount scope(threads);
      std::string shifted(1 + encoded_bytes(format, static_cast<int64_t>(values.size())), '?');
      encode_numbers(format, values.data(), static_cast<int64_t>(values.size()), shifted.data() + 1,
                     "here");
      std::vector<float> out(values.size());
      decode_numbers(format, shifted.data() + 1, static_cast<int64_t>(values.size()), out.data());
      if (threads == 1) {
        bytes = shifted;
        back = out;
      }
      EXPECT_EQ(shifted, bytes) << format_name(format);
      EXPECT_EQ(out, back) << format_name(format);
    }
    // Half a unit of the format: 2^-11 and 2^-8 of the number, 1/254 of a block's largest.
    for (size_t i = 0; i < values.size(); ++i) {
      const float bound = format == NumberFormat::q8_0 ? 0.05f : 0x1p-8f * std::fabs(values[i]);
      ASSERT_NEAR(back[i], values[i], bound) << format_name(format);
    }
  }
}

}  // namespace
}  // namespace cria
