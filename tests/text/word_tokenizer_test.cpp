#include "text/word_tokenizer.h"

#include <gtest/gtest.h>

#include "support/errors.h"

namespace cria {
namespace {

std::vector<int32_t> word_ids(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<int32_t> ids;
  tokenizer.encode(text, ids, "text", 0);
  return ids;
}

using Ids = std::vector<int32_t>;

TEST(WordTokenizer, WordsNumbersAndSigns) {
  const auto tokenizer = make_word_tokenizer({"I", "love", "dogs", ".", "\u00E9t\u00E9", "12"});
  EXPECT_EQ(tokenizer->kind(), "words");
  EXPECT_EQ(tokenizer->vocab_size(), 7);
  EXPECT_EQ(tokenizer->special_tokens().unk, 0);
  EXPECT_EQ(word_ids(*tokenizer, "I love dogs"), (Ids{1, 2, 3}));
  EXPECT_EQ(word_ids(*tokenizer, "  I\n\nlove\u00A0dogs.. "), (Ids{1, 2, 3, 4, 4}));
  EXPECT_EQ(word_ids(*tokenizer, "cats12\u00E9t\u00E9 love"), (Ids{0, 6, 5, 2}));
  EXPECT_EQ(word_ids(*tokenizer, "\xFF"), Ids{0});
  EXPECT_EQ(word_ids(*tokenizer, " "), Ids{});
  EXPECT_EQ(tokenizer->decode({1, 2, 3, 4}), "I love dogs .");
  bool begins = true;
  std::string shown;
  for (const int32_t id : {1, 0, 3}) shown += tokenizer->shown(id, begins);
  EXPECT_EQ(shown, "I <unk> dogs");
}

TEST(WordTokenizer, CutsAreBetweenWords) {
  const auto tokenizer = make_word_tokenizer({"a", "bb"});
  std::string text;
  for (int i = 0; i < 1000; ++i) text += i % 3 == 0 ? "a " : i % 3 == 1 ? "bb" : "\n c ";
  const Ids whole = word_ids(*tokenizer, text);
  for (size_t from = 0; from < text.size(); from += 7) {
    const size_t cut = tokenizer->find_cut(text, from);
    Ids parts = word_ids(*tokenizer, text.substr(0, cut));
    tokenizer->encode_after_cut(text.substr(cut), parts, "text", cut);
    EXPECT_EQ(parts, whole) << from;
  }
}

TEST(WordTokenizer, NamesWhatIsWrong) {
  EXPECT_NE(error_of([] {
              make_word_tokenizer({"a", "a"});
            }).find("word 'a' is there twice"),
            std::string::npos);
  EXPECT_NE(error_of([] { make_word_tokenizer({""}); }).find("empty word"), std::string::npos);
}

}  // namespace
}  // namespace cria
