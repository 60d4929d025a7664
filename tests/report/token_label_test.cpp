// Tokens as labels: seen, escaped, and of the right kind.
#include "report/token_label.h"

#include <gtest/gtest.h>

#include "report/svg.h"
#include "support/errors.h"

namespace cria {
namespace {

TEST(TokenLabel, ShowsWhatCannotBeSeen) {
  EXPECT_EQ(token_label("the"), "the");
  EXPECT_EQ(token_label("\n"), "\\n");
  EXPECT_EQ(token_label("\xff\x01"), "\\xff\\x01");
  EXPECT_EQ(token_label(" the"), "\u2068\u2423the\u2069");
  EXPECT_EQ(token_label("שלום"), "\u2068שלום\u2069");
  EXPECT_FALSE(contains(token_label("a\u202eb"), "\u202e"));
  EXPECT_LT(text_width(token_label(std::string(1000, 'x'))), 17);
}

TEST(TokenLabel, OfAnIdWithoutAToken) {
  const auto tokenizer = make_char_tokenizer({'A', 'b'});
  EXPECT_EQ(token_label(tokenizer.get(), 1), "b");
  EXPECT_EQ(token_label(tokenizer.get(), 2), "id 2");
  EXPECT_EQ(token_label(nullptr, 1), "id 1");
  EXPECT_EQ(token_kind(tokenizer.get(), 0), TokenKind::capital);
  EXPECT_EQ(token_kind(tokenizer.get(), 2), TokenKind::other);
  EXPECT_EQ(token_kind(nullptr, 0), TokenKind::other);
}

TEST(TokenLabel, Kinds) {
  const auto all = [](TokenKind kind, std::initializer_list<const char*> tokens) {
    for (const char* const token : tokens) EXPECT_EQ(token_kind(token), kind) << token;
  };
  all(TokenKind::word, {" the", "  x", " été"});
  all(TokenKind::capital, {"Anna", " Anna", "A"});
  all(TokenKind::part, {"ing", "e", "ש"});
  all(TokenKind::number, {"7", " 1984", "½"});
  all(TokenKind::other, {"", " ", ",", " (", "\n", "\xff", "🦙", "<s>"});
}

}  // namespace
}  // namespace cria
