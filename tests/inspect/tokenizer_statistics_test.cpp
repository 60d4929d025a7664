#include "inspect/tokenizer_statistics.h"

#include <gtest/gtest.h>

#include "support/errors.h"
#include "support/threads.h"
#include "text/bpe_tokenizer.h"
#include "text/tiny_vocabulary.h"

namespace cria {
namespace {

using Ids = std::vector<int32_t>;
using Counts = std::vector<int64_t>;

// 256 bytes; 256 'ab', 257 'abc', 258 both bytes of é; 259 <|end|>
BpeTokenizer tiny_bpe() {
  return BpeTokenizer(tiny_vocabulary({{"a", "b"}, {"ab", "c"}, {"\xC3", "\xA9"}}, {"<|end|>"}));
}

TEST(TokenizerStatistics, Vocabulary) {
  const VocabularyStatistics s = vocabulary_statistics(tiny_bpe(), 4);
  EXPECT_EQ(s.tokens, 259);
  EXPECT_EQ(s.by_length, Counts({0, 256, 2, 1}));
  EXPECT_EQ(s.not_utf8, 128);
  EXPECT_EQ(s.longest, Ids({257, 256, 258, 0}));
}

TEST(TokenizerStatistics, OneToken) {
  const VocabularyStatistics s = vocabulary_statistics(*make_char_tokenizer({0x1F999}), 20);
  EXPECT_EQ(s.tokens, 1);
  EXPECT_EQ(s.by_length, Counts({0, 0, 0, 0, 1}));
  EXPECT_EQ(s.not_utf8, 0);
  EXPECT_EQ(s.longest, Ids({0}));
  EXPECT_EQ(vocabulary_statistics(*make_byte_tokenizer(), 0).longest, Ids());
}

TEST(TokenizerStatistics, Compression) {
  const Compression c = compression(tiny_bpe(), " abc ab\n\u00A0\u00E9", "text");
  EXPECT_EQ(c.bytes, 12);
  EXPECT_EQ(c.words, 3) << "U+00A0 is white space";
  EXPECT_EQ(c.tokens, 8) << "blank abc blank ab newline 2 bytes of U+00A0, é";
  const Compression nothing = compression(tiny_bpe(), "", "text");
  EXPECT_EQ(nothing.bytes + nothing.words + nothing.tokens, 0);
}

TEST(TokenizerStatistics, CompressionOfMuchTextIsThatOfOnePiece) {
  std::string text;
  while (text.size() < 700000) text += "abc ab é  abcab\n";
  const BpeTokenizer tokenizer = tiny_bpe();
  Ids ids;
  tokenizer.encode(text, ids, "text");
  for (const int threads : {1, 3}) {
    const ThreadCount count(threads);
    EXPECT_EQ(compression(tokenizer, text, "text").tokens, static_cast<int64_t>(ids.size()));
  }
}

TEST(TokenizerStatistics, CompressionErrorIsTheFirst) {
  const auto letters = make_char_tokenizer({'a', 'b'});
  std::string text(1000000, 'a');
  text[300001] = text[900000] = 'x';
  const std::string error = error_of([&] { compression(*letters, text, "book.txt"); });
  EXPECT_NE(error.find("book.txt at byte 300001"), std::string::npos) << error;
}

TEST(TokenizerStatistics, FirstIds) {
  const auto bytes = make_byte_tokenizer();
  EXPECT_EQ(first_ids(*bytes, "abc", 2, "text"), Ids({'a', 'b'}));
  EXPECT_EQ(first_ids(*bytes, "abc", 9, "text"), Ids({'a', 'b', 'c'}));
  EXPECT_EQ(first_ids(*bytes, "a\u00E9b", 2, "text"), Ids({'a', 0xC3, 0xA9})) << "whole characters";
  EXPECT_EQ(first_ids(*bytes, "", 2, "text"), Ids());
}

}  // namespace
}  // namespace cria
