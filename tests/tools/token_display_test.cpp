#include "report/token_display.h"

#include <gtest/gtest.h>

namespace cria {
namespace {

using Tokens = std::vector<std::string_view>;

TEST(TokenDisplay, BarsBetweenTokens) {
  EXPECT_EQ(display_tokens({"a", " b", "c"}, false, 80), "a| b|c\n");
  EXPECT_EQ(display_tokens({"one"}, false, 80), "one\n");
  EXPECT_EQ(display_tokens({}, false, 80), "");
  // A token's own bar cannot be taken for one between tokens, nor a backslash for an escape.
  EXPECT_EQ(display_tokens({"|", "\\", "\t", "\xC3", "\xA9", "é"}, false, 80),
            R"(\||\\|\t|\xc3|\xa9|é)"
            "\n");
}

TEST(TokenDisplay, ALineOfTextIsALine) {
  EXPECT_EQ(display_tokens({"a", "\n", "b.\n\n", "c"}, false, 80), "a|\\n|\nb.\\n\\n|\nc\n");
  EXPECT_EQ(display_tokens({"a\n"}, false, 80), "a\\n\n");
}

TEST(TokenDisplay, LinesEndBetweenTokens) {
  EXPECT_EQ(display_tokens({"aaa", "bbb", "cc", "d"}, false, 8), "aaa|bbb|\ncc|d\n");
  EXPECT_EQ(display_tokens({"aaa", "bbb", "cc", "d"}, true, 6).size(),
            display_tokens({"aaa", "bbb", "cc", "d"}, true, 80).size() + 1);
  // Characters count, not bytes; a token that is wider than a line has one of its own.
  EXPECT_EQ(display_tokens({"ééé", "é"}, false, 6), "ééé|é\n");
  EXPECT_EQ(display_tokens({"a", "0123456789", "b"}, false, 4), "a|\n0123456789|\nb\n");
}

TEST(TokenDisplay, NeighboursHaveOtherColors) {
  EXPECT_EQ(display_tokens({"a|", " ", "\n"}, true, 80),
            "\033[30;48;5;153ma|\033[0m\033[30;48;5;157m \033[0m\033[30;48;5;223m↵\033[0m\n");
}

}  // namespace
}  // namespace cria
