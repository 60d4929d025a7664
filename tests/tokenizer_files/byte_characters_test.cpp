#include "tokenizer_files/byte_characters.h"

#include <gtest/gtest.h>

namespace cria {
namespace {

TEST(ByteCharacters, AllBytesThereAndBack) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  const std::string text = to_byte_characters(bytes);
  EXPECT_EQ(text.size(),
            94u + 2 * 162);  // ASCII's 94 printable characters, the rest two bytes each
  EXPECT_EQ(from_byte_characters(text), bytes);
  EXPECT_EQ(to_byte_characters(" \n\xAD\xE9"), "ĠĊŃé");
}

TEST(ByteCharacters, OthersStandForNothing) {
  EXPECT_EQ(from_byte_characters("Ġa"), " a");
  EXPECT_EQ(from_byte_characters("a b"), std::nullopt);
  EXPECT_EQ(from_byte_characters("ń"), std::nullopt);  // U+0144, the first beyond
  EXPECT_EQ(from_byte_characters("\xC2\xA0"), std::nullopt);
  EXPECT_EQ(from_byte_characters("€"), std::nullopt);
  EXPECT_EQ(from_byte_characters("a\xFF"), std::nullopt);
}

}  // namespace
}  // namespace cria
