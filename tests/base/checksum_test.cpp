#include "base/checksum.h"

#include <gtest/gtest.h>

#include "support/errors.h"
#include "support/files.h"
#include "support/threads.h"

namespace cria {
namespace {

std::string bytes_of(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 37 >> 3);
  return bytes;
}

TEST(Checksum, EveryFlippedBitIsNoticed) {
  std::string bytes = bytes_of(300);
  const std::string before = checksum(bytes);
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    EXPECT_NE(checksum(bytes), before) << bit;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
  }
  EXPECT_EQ(checksum(bytes), before);
}

// Two signs of floats, 32 bytes apart, cancel in a sum or in a plain FNV of words.
TEST(Checksum, TwoFlippedSignsAreNoticed) {
  std::string bytes = bytes_of(320);
  const std::string before = checksum(bytes);
  for (size_t i = 7; i + 32 < bytes.size(); i += 8) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x80);
    changed[i + 32] = static_cast<char>(changed[i + 32] ^ 0x80);
    EXPECT_NE(checksum(changed), before) << i;
  }
}

TEST(Checksum, LengthAndOrderCount) {
  EXPECT_NE(checksum(""), checksum(std::string(1, '\0')));
  const size_t mib = size_t{1} << 20;
  const std::string a(mib, 'a'), b(mib, 'b');
  EXPECT_NE(checksum(a + b), checksum(b + a));
  EXPECT_NE(checksum(a), checksum(a + std::string(1, '\0')));
}

TEST(Checksum, DoesNotDependOnThreads) {
  const std::string bytes = bytes_of((size_t{5} << 20) + 13);
  const int before = max_threads();
  set_threads(1);
  const std::string one = checksum(bytes);
  set_threads(4);
  EXPECT_EQ(checksum(bytes), one);
  set_threads(before);
}

TEST(Checksum, Hexadecimal) {
  EXPECT_EQ(hexadecimal(0), "0000000000000000");
  EXPECT_EQ(hexadecimal(0xfedcba9876543210u), "fedcba9876543210");
}

TEST(Checksum, AFileThatChangedIsNamed) {
  const TemporaryDirectory directory;
  write_quickly(directory / "a", "abc");
  const std::string right = checksum("abc");
  EXPECT_EQ(error_of([&] { require_checksum(directory / "a", right, "b.json"); }), "");
  write_quickly(directory / "a", "abd");
  const std::string message = error_of([&] { require_checksum(directory / "a", right, "b.json"); });
  EXPECT_TRUE(message.starts_with(directory / "a" + ": not the file that was written")) << message;
  EXPECT_TRUE(contains(message, right + ", as b.json says")) << message;
}

}  // namespace
}  // namespace cria
