#include "cria/text/tokenizer.h"

#include <gtest/gtest.h>

#include <functional>

#include "cria/base/error.h"
#include "cria/base/file.h"

#include "support/encoded.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

using Ids = std::vector<int32_t>;
using Characters = std::vector<uint32_t>;

Characters characters_of(std::string_view text) {
  CharacterSet set;
  set.add(text, "text");
  return set.sorted();
}

TEST(ByteTokenizer, IdsAreBytes) {
  const auto tokenizer = make_byte_tokenizer();
  EXPECT_EQ(tokenizer->kind(), "bytes");
  EXPECT_EQ(tokenizer->vocab_size(), 256);
  std::string text;
  Ids ids;
  for (int byte = 0; byte < 256; ++byte) {
    text += static_cast<char>(byte);
    ids.push_back(byte);
    EXPECT_EQ(tokenizer->token(byte), std::string(1, static_cast<char>(byte)));
  }
  EXPECT_EQ(encoded(*tokenizer, text), ids);
  EXPECT_EQ(tokenizer->decode(ids), text);
}

TEST(CharacterSet, SortsCodePointsOfAllPieces) {
  CharacterSet set;
  EXPECT_TRUE(set.sorted().empty());
  set.add("b\xF4\x8F\xBF\xBFz", "text");  // U+10FFFF, the last there is
  set.add(std::string_view("\0éb", 4), "text");
  EXPECT_EQ(set.sorted(), (Characters{0, 'b', 'z', 0xE9, 0x10FFFF}));
}

TEST(CharTokenizer, IdsAreInCodePointOrder) {
  const auto tokenizer = make_char_tokenizer(characters_of("zeé€😀\n"));
  EXPECT_EQ(tokenizer->kind(), "chars");
  EXPECT_EQ(tokenizer->vocab_size(), 6);
  EXPECT_EQ(encoded(*tokenizer, "\nezé€😀z"), (Ids{0, 1, 2, 3, 4, 5, 2}));
  EXPECT_EQ(tokenizer->decode({5, 0, 3}), "😀\né");
  EXPECT_EQ(tokenizer->token(4), "€");
}

TEST(CharTokenizer, EncodeAppends) {
  const auto tokenizer = make_char_tokenizer({'a', 'b'});
  Ids ids = {7};
  tokenizer->encode("ba", ids, "text");
  tokenizer->encode("", ids, "text");
  EXPECT_EQ(ids, (Ids{7, 1, 0}));
}

// Below and above the vocabulary's last character, inside and outside ASCII.
TEST(CharTokenizer, UnknownCharacterIsNamedWithItsPlace) {
  const auto tokenizer = make_char_tokenizer({'a', 0xEA});
  Ids ids;
  const auto error = [&](std::string_view text) {
    return error_of([&] { tokenizer->encode(text, ids, "notes.txt", 1000); });
  };
  EXPECT_TRUE(error("aé").starts_with(
      "notes.txt at byte 1001: character 'é' (U+00E9) is not in the vocabulary\n"))
      << error("aé");
  EXPECT_NE(error("a\n").find("at byte 1001: character '\\n' (U+000A)"), std::string::npos);
  EXPECT_NE(error("ê😀").find("at byte 1002: character '😀' (U+1F600)"), std::string::npos);
  EXPECT_NE(error("z").find("hint: "), std::string::npos);
}

TEST(CharTokenizer, InvalidUtf8IsNamedWithItsPlace) {
  const auto tokenizer = make_char_tokenizer({'a'});
  Ids ids;
  CharacterSet set;
  for (const char* text : {"aa\xFFz", "aa\xC3", "aa\xED\xA0\x80"}) {
    const std::string encoding = error_of([&] { tokenizer->encode(text, ids, "notes.txt", 10); });
    const std::string collecting = error_of([&] { set.add(text, "notes.txt", 10); });
    EXPECT_TRUE(encoding.starts_with("notes.txt at byte 12: invalid UTF-8\n")) << encoding;
    EXPECT_NE(encoding.find("hint: --tokenizer bytes takes any bytes"), std::string::npos);
    EXPECT_EQ(encoding, collecting);
  }
}

TEST(CharTokenizer, NeedsACharacter) {
  EXPECT_THROW(make_char_tokenizer({}), Error);
}

TEST(Tokenizer, DecodeRefusesIdsOutsideTheVocabulary) {
  const auto tokenizer = make_char_tokenizer({'a', 'b'});
  EXPECT_THROW(tokenizer->decode({0, 2}), Error);
  EXPECT_THROW(tokenizer->decode({-1}), Error);
}

TEST(Tokenizer, AddedTokensAreFoundFirst) {
  const auto tokenizer =
      make_char_tokenizer({'a', 'b'}, {{"ab", 2, false}, {"aba", 3, true}, {"<s>", 4, true}});
  EXPECT_EQ(tokenizer->vocab_size(), 5);
  EXPECT_EQ(encoded(*tokenizer, "babab"), (Ids{1, 2, 2}));
  Ids ids;
  tokenizer->encode("babab<s>", ids, "text", 0, true);  // the leftmost, then the longest
  EXPECT_EQ(ids, (Ids{1, 3, 1, 4}));
  EXPECT_EQ(tokenizer->decode({4, 3, 0}), "<s>abaa");
  const std::string message =
      error_of([&] { tokenizer->encode("ab<s>x", ids, "notes.txt", 100, true); });
  EXPECT_TRUE(message.starts_with("notes.txt at byte 105: ")) << message;
}

TEST(Tokenizer, RefusesAddedTokens) {
  EXPECT_THROW(make_byte_tokenizer({{"", 256, true}}), Error);
  EXPECT_THROW(make_byte_tokenizer({{"<s>", 256, true}, {"<s>", 257, true}}), Error);
  EXPECT_THROW(make_byte_tokenizer({{"<s>", 257, true}}), Error);
}

// A character has at most three bytes after its first; text that is none may have more.
TEST(Tokenizer, BytesAreCutBetweenCharacters) {
  const auto tokenizer = make_byte_tokenizer();
  EXPECT_EQ(tokenizer->find_cut("a\xF0\x9F\x98\x80z", 2), 5u);
  EXPECT_EQ(tokenizer->find_cut("a\x80\x80\x80\x80z", 1), 4u);
  EXPECT_EQ(tokenizer->find_cut("a\x80", 1), 2u);
  EXPECT_EQ(tokenizer->find_cut("a", 5), 1u);
}

TEST(Tokenizer, NoTextIsCutInsideAnAddedToken) {
  const auto tokenizer = make_byte_tokenizer({{"<x>", 256, false}, {"<yyyy>", 257, true}});
  EXPECT_EQ(tokenizer->find_cut("a<x>b", 1), 1u);
  EXPECT_EQ(tokenizer->find_cut("a<x>b", 2), 4u);
  EXPECT_EQ(tokenizer->find_cut("a<x>b", 3), 4u);
  EXPECT_EQ(tokenizer->find_cut("a<x", 2), 3u);   // what follows may complete it
  EXPECT_EQ(tokenizer->find_cut("a<xx", 2), 2u);  // it cannot
  EXPECT_EQ(tokenizer->find_cut("<yyyy>", 2), 2u);
}

TEST(Tokenizer, RolesAndEndsAreTokens) {
  const auto tokenizer = make_byte_tokenizer();
  EXPECT_EQ(tokenizer->special_tokens(), SpecialTokens());
  EXPECT_THROW(tokenizer->set_special_tokens({.bos = 256}), Error);
  EXPECT_THROW(tokenizer->set_special_tokens({.unk = -2}), Error);
  EXPECT_THROW(tokenizer->set_ends({.before = {}, .after = {256}}), Error);
  tokenizer->set_special_tokens({.bos = 1, .eos = 2, .pad = 255, .unk = 0});
  tokenizer->set_ends({.before = {1, 3}, .after = {2}});
  EXPECT_EQ(tokenizer->encode_prompt("a", "text"), (Ids{1, 3, 'a'}));
  EXPECT_EQ(tokenizer->encode_prompt("\1\3a", "text"), (Ids{1, 3, 'a'}));
  EXPECT_EQ(tokenizer->encode_prompt("\1a", "text"), (Ids{1, 3, 1, 'a'}));
  bool begins = true;
  EXPECT_EQ(tokenizer->shown(2, begins), "");
  EXPECT_TRUE(begins);
  EXPECT_EQ(tokenizer->shown(' ', begins), " ");
  EXPECT_FALSE(begins);
}

TEST(CharTokenizer, Shakespeare) {
  const std::string path = shared_file("tinyshakespeare.txt");
  if (path.empty()) GTEST_SKIP() << "CRIA_SHARED_DATA names no folder with tinyshakespeare.txt";
  const std::string text = read_file(path);
  const auto tokenizer = make_char_tokenizer(characters_of(text));
  EXPECT_EQ(tokenizer->vocab_size(), 65);
  const Ids ids = encoded(*tokenizer, text);
  EXPECT_EQ(ids.size(), 1115394u);
  // "First Cit": new line is 0, space 1, A 13, a 39.
  EXPECT_EQ(Ids(ids.begin(), ids.begin() + 9), (Ids{18, 47, 56, 57, 58, 1, 15, 47, 58}));
  EXPECT_EQ(tokenizer->decode(ids), text);
}

}  // namespace
}  // namespace cria
