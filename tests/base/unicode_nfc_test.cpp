#include "base/unicode_nfc.h"

#include <gtest/gtest.h>

#include "base/unicode.h"
#include "cria/base/rng.h"

namespace cria {
namespace {

std::string normal(std::string_view text) {
  std::string buffer;
  return std::string(nfc(text, buffer));
}

std::string utf8(std::initializer_list<uint32_t> characters) {
  std::string text;
  for (const uint32_t character : characters) append_utf8(text, character);
  return text;
}

// The hash is of what unicodedata of Python 3.6 (Unicode 9.0) says of the same texts.
TEST(Nfc, EveryCharacterBetweenOthers) {
  uint64_t hash = fnv1a("");
  const auto add = [&](std::initializer_list<uint32_t> characters) {
    hash = fnv1a(normal(utf8(characters)), hash);
  };
  for (uint32_t c = 0; c < 0x110000; ++c) {
    if (c < 0xD800 || c >= 0xE000) add({'e', c, 0x301});
  }
  for (uint32_t letter = 'A'; letter <= 'z'; ++letter) {
    for (uint32_t mark = 0x300; mark < 0x370; ++mark) add({letter, mark, 0x323});
  }
  for (uint32_t leading = 0x1100; leading < 0x1113; ++leading) {
    for (uint32_t vowel = 0x1160; vowel < 0x1177; ++vowel) {
      for (uint32_t trailing = 0x11A6; trailing < 0x11C4; ++trailing)
        add({leading, vowel, trailing});
    }
  }
  EXPECT_EQ(hash, 0xb529dbd236dea4cfu);
}

TEST(Nfc, Examples) {
  EXPECT_EQ(normal("e\u0301"), "\u00e9");
  EXPECT_EQ(normal("a\u0301\u0323"), "\u1ea1\u0301");   // marks in order, then composed
  EXPECT_EQ(normal("a\u0305\u0301"), "a\u0305\u0301");  // one of the same class is between
  EXPECT_EQ(normal("\u0958"), "\u0915\u093c");          // not put together again
  EXPECT_EQ(normal("\u212b\u2126\u2000"), "\u00c5\u03a9\u2002");
  EXPECT_EQ(normal("\uf900\U0002fa1d"), "\u8c48\U0002a600");
  EXPECT_EQ(normal("\u1112\u1161\u11ab\u1100\u1173"), "\ud55c\uadf8");
  EXPECT_EQ(normal("\u0301\u0301"), "\u0301\u0301");  // no letter to join
  EXPECT_EQ(normal("e\xCC"), "e\xCC");
  EXPECT_EQ(normal("\xFF\u0301"
                   "e\u0301"),
            "\xFF\u0301\u00e9");
  EXPECT_EQ(normal("o\u0302\u0301 \u0301o\u0302"), "\u1ed1 \u0301\u00f4");
}

TEST(Nfc, TextThatIsNormalIsTheSameBytes) {
  std::string buffer;
  for (const std::string_view text : {"", "plain", "\u00e9\u4e2d\ud55c", "\xFF\xC3"}) {
    EXPECT_EQ(nfc(text, buffer).data(), text.data());
  }
}

TEST(Nfc, ManyMarks) {
  std::string marks = "e";
  for (int i = 0; i < 100000; ++i) marks += i % 2 == 0 ? "\u0301" : "\u0323";
  const std::string once = normal(marks);
  EXPECT_TRUE(once.starts_with("\u1eb9\u0323"));
  EXPECT_TRUE(normal(once) == once);
}

TEST(Nfc, TwoSidesOneByOne) {
  const std::string alphabet = "ea<\n\u0301\u0323\u0338\u1100\u1161\u11a8\uac00\u0958\u212b\xFF";
  Rng rng(1, "nfc");
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (int i = 0; i < 8; ++i) {
      size_t at = rng.below(alphabet.size());
      while (!starts_character(alphabet[at])) --at;
      text +=
          alphabet.substr(at, static_cast<size_t>(std::max(1, decode_utf8(alphabet, at).length)));
    }
    const std::string whole = normal(text);
    EXPECT_EQ(normal(whole), whole) << quote(text);
    for (size_t at = 1; at < text.size(); ++at) {
      if (!starts_character(text[at]) || !begins_normal(text, at)) continue;
      EXPECT_EQ(normal(text.substr(0, at)) + normal(text.substr(at)), whole) << quote(text);
    }
  }
  EXPECT_FALSE(begins_normal("e\u0301", 1));
  EXPECT_FALSE(begins_normal("\u0958", 0));
}

}  // namespace
}  // namespace cria
