#include "io/crc.h"

#include <gtest/gtest.h>

#include <string>

namespace cria {
namespace {

// RFC 3720, appendix B.4, for Castagnoli's; the check values of the catalogues for both.
TEST(Crc, KnownValues) {
  EXPECT_EQ(crc32("123456789"), 0xcbf43926u);
  EXPECT_EQ(crc32(""), 0u);
  EXPECT_EQ(crc32("ABC"), 0xa3830348u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c(""), 0u);
}

// Eight bytes at once, and what is left of them, are the same as one after the other.
TEST(Crc, GoesOnFromAnyPlace) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += static_cast<char>(i * 37);
  for (size_t size = 0; size <= text.size(); ++size) {
    const std::string_view part(text.data(), size);
    uint32_t one_by_one = 0;
    for (size_t i = 0; i < size; ++i) one_by_one = crc32(part.substr(i, 1), one_by_one);
    EXPECT_EQ(crc32(part), one_by_one) << size;
    for (size_t cut = 0; cut <= size; ++cut) {
      EXPECT_EQ(crc32(part.substr(cut), crc32(part.substr(0, cut))), one_by_one);
    }
  }
}

}  // namespace
}  // namespace cria
