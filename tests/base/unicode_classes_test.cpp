#include "base/unicode_classes.h"

#include <gtest/gtest.h>

#include <array>
#include <cctype>

namespace cria {
namespace {

using enum UnicodeClass;

TEST(UnicodeClasses, AsciiAsInC) {
  for (int c = 0; c < 128; ++c) {
    const UnicodeClass expected = std::isalpha(c)   ? letter
                                  : std::isdigit(c) ? number
                                  : std::isspace(c) ? space
                                                    : other;
    EXPECT_EQ(unicode_class(c), expected) << c;
  }
}

// The regular expressions \p{L}, \p{N} and \s of Hugging Face's tokenizers match as many.
TEST(UnicodeClasses, AsManyAsOthersHave) {
  std::array<int, 4> counts{};
  for (uint32_t c = 0; c < 0x110000; ++c) ++counts[static_cast<size_t>(unicode_class(c))];
  EXPECT_EQ(counts[static_cast<size_t>(letter)], 141028);
  EXPECT_EQ(counts[static_cast<size_t>(number)], 1911);
  EXPECT_EQ(counts[static_cast<size_t>(space)], 25);
}

TEST(UnicodeClasses, OneOfEachCategory) {
  for (const uint32_t c : {0xC0, 0xE9, 0x1C5, 0x2B0, 0x5D0}) {  // Lu Ll Lt Lm Lo
    EXPECT_EQ(unicode_class(c), letter) << std::hex << c;
  }
  for (const uint32_t c : {0x663, 0x2167, 0xB2}) {  // Nd Nl No
    EXPECT_EQ(unicode_class(c), number) << std::hex << c;
  }
  for (const uint32_t c : {0x85, 0xA0, 0x1680, 0x2000, 0x200A, 0x2028, 0x2029, 0x3000}) {
    EXPECT_EQ(unicode_class(c), space) << std::hex << c;
  }
  // Mn Mc Me, Pc Pd Ps, Sm So, Cc Cf Cs Co, unassigned; two that were or look like spaces.
  for (const uint32_t c : {0x301, 0x903, 0x20DD, 0x203F, 0x2014, 0x207D, 0x2192, 0x24B6, 0x80, 0xAD,
                           0xD800, 0xE000, 0x378, 0x180E, 0x200B}) {
    EXPECT_EQ(unicode_class(c), other) << std::hex << c;
  }
}

TEST(UnicodeClasses, EndsOfRanges) {
  EXPECT_EQ(unicode_class(0x4DFF), other);  // a hexagram
  EXPECT_EQ(unicode_class(0x4E00), letter);
  EXPECT_EQ(unicode_class(0x9FFF), letter);
  EXPECT_EQ(unicode_class(0xD7A3), letter);
  EXPECT_EQ(unicode_class(0xD7A4), other);
  EXPECT_EQ(unicode_class(0x323AF), letter);
  EXPECT_EQ(unicode_class(0x323B0), other);
  EXPECT_EQ(unicode_class(0x10FFFF), other);
  EXPECT_EQ(unicode_class(0x110000), other);
  EXPECT_EQ(unicode_class(0xFFFFFFFF), other);
}

// Text is cut as others cut it only with their version of the standard.
TEST(UnicodeClasses, Version16) {
  EXPECT_EQ(unicode_class(0x1C89), letter);   // new in 16.0
  EXPECT_EQ(unicode_class(0x10D40), number);  // new in 16.0
  EXPECT_EQ(unicode_class(0x088F), other);    // a letter since 17.0
}

}  // namespace
}  // namespace cria
