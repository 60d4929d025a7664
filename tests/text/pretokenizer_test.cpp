#include "cria/text/pretokenizer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "cria/base/file.h"
#include "cria/base/json.h"
#include "support/errors.h"

namespace cria {
namespace {

using Pieces = std::vector<std::string>;

// What piece_end cuts text into.
Pieces pieces(Pattern pattern, std::string_view text) {
  Pieces all;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = piece_end(pattern, text, begin);
    if (end <= begin || end > text.size()) {
      ADD_FAILURE() << "a piece from " << begin << " to " << end << " of " << text.size();
      break;
    }
    all.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return all;
}

Pieces gpt2(std::string_view text) {
  return pieces(Pattern::gpt2, text);
}

// llama3 cuts as gpt4 does.
Pieces gpt4(std::string_view text) {
  const Pieces all = pieces(Pattern::gpt4, text);
  EXPECT_EQ(pieces(Pattern::llama3, text), all);
  return all;
}

TEST(Pretokenizer, Names) {
  EXPECT_EQ(pattern_names(), (Pieces{"gpt2", "gpt4", "llama3"}));
  EXPECT_EQ(pattern("gpt2"), Pattern::gpt2);
  EXPECT_EQ(pattern("gpt4"), Pattern::gpt4);
  EXPECT_EQ(pattern("llama3"), Pattern::llama3);
  const std::string message = error_of([] { pattern("lama3"); });
  EXPECT_NE(message.find("'lama3'"), std::string::npos) << message;
  EXPECT_NE(message.find("did you mean 'llama3'?"), std::string::npos) << message;
}

TEST(Pretokenizer, NothingHasNoPieces) {
  EXPECT_EQ(gpt2(""), Pieces{});
  EXPECT_EQ(gpt4(""), Pieces{});
}

TEST(PretokenizerGpt2, Contractions) {
  EXPECT_EQ(gpt2("I's it't we're I've I'm he'll she'd"),
            (Pieces{"I", "'s", " it", "'t", " we", "'re", " I", "'ve", " I", "'m", " he", "'ll",
                    " she", "'d"}));
  EXPECT_EQ(gpt2("'stop"), (Pieces{"'s", "top"}));
  EXPECT_EQ(gpt2("I'S 'LL"), (Pieces{"I", "'", "S", " '", "LL"}));      // small letters only
  EXPECT_EQ(gpt2("'l 'r'v"), (Pieces{"'", "l", " '", "r", "'", "v"}));  // cut short
  EXPECT_EQ(gpt2(" 's ''s"), (Pieces{" '", "s", " ''", "s"}));          // within another piece
  EXPECT_EQ(gpt2("'\u017Fo"), (Pieces{"'", "\u017Fo"}));
}

TEST(PretokenizerGpt2, ASpaceJoinsWhatFollows) {
  EXPECT_EQ(gpt2("ab c1 23 !? x"), (Pieces{"ab", " c", "1", " 23", " !?", " x"}));
  EXPECT_EQ(gpt2("\tab\u00A0c"), (Pieces{"\t", "ab", "\u00A0", "c"}));  // only this one does
  EXPECT_EQ(gpt2("123456"), (Pieces{"123456"}));
  EXPECT_EQ(gpt2("a(b"), (Pieces{"a", "(", "b"}));
}

TEST(PretokenizerGpt2, WhiteSpaceLeavesItsLast) {
  EXPECT_EQ(gpt2("a   b"), (Pieces{"a", "  ", " b"}));
  EXPECT_EQ(gpt2("a \n b"), (Pieces{"a", " \n", " b"}));
  EXPECT_EQ(gpt2("a  \nb"), (Pieces{"a", "  ", "\n", "b"}));
  EXPECT_EQ(gpt2("a \u3000b"), (Pieces{"a", " ", "\u3000", "b"}));  // a character, not a byte
  EXPECT_EQ(gpt2("a\nb"), (Pieces{"a", "\n", "b"}));
  EXPECT_EQ(gpt2("a  \n "), (Pieces{"a", "  \n "}));  // all of it at the end
  EXPECT_EQ(gpt2(" "), (Pieces{" "}));
  EXPECT_EQ(gpt2("\r\n\r\nx"), (Pieces{"\r\n\r", "\n", "x"}));
}

TEST(PretokenizerGpt4, ContractionsInAnyCase) {
  EXPECT_EQ(gpt4("I'S it'T we'Re I'vE I'M he'LL she'D"),
            (Pieces{"I", "'S", " it", "'T", " we", "'Re", " I", "'vE", " I", "'M", " he", "'LL",
                    " she", "'D"}));
  EXPECT_EQ(gpt4("'stop"), (Pieces{"'s", "top"}));
  EXPECT_EQ(gpt4("'quote' 'l"), (Pieces{"'quote", "'", " '", "l"}));
  EXPECT_EQ(gpt4("'\u017Fo"), (Pieces{"'\u017F", "o"}));  // the long s is an s
  EXPECT_EQ(gpt4("'\u212Ao"), (Pieces{"'\u212Ao"}));      // the Kelvin sign a k
  EXPECT_EQ(gpt4("'\xC5"), (Pieces{"'\xC5"}));            // half a long s
}

TEST(PretokenizerGpt4, AnyCharacterJoinsLetters) {
  EXPECT_EQ(gpt4("ab(cd"), (Pieces{"ab", "(cd"}));
  EXPECT_EQ(gpt4("((cd"), (Pieces{"((", "cd"}));
  EXPECT_EQ(gpt4("\tab\u00A0cd"), (Pieces{"\tab", "\u00A0cd"}));
  EXPECT_EQ(gpt4("\nab\rcd"), (Pieces{"\n", "ab", "\r", "cd"}));  // but no newline
  EXPECT_EQ(gpt4("1ab"), (Pieces{"1", "ab"}));                    // and no number
  EXPECT_EQ(gpt4("e\u0301a"), (Pieces{"e", "\u0301a"}));
}

TEST(PretokenizerGpt4, ThreeDigits) {
  EXPECT_EQ(gpt4("1234567"), (Pieces{"123", "456", "7"}));
  EXPECT_EQ(gpt4("1\u0662\u2167\u00B2"), (Pieces{"1\u0662\u2167", "\u00B2"}));
  EXPECT_EQ(gpt4("a 12 34"), (Pieces{"a", " ", "12", " ", "34"}));  // no space joins them
}

TEST(PretokenizerGpt4, PunctuationTakesNewlines) {
  EXPECT_EQ(gpt4("a.\r\n\nb"), (Pieces{"a", ".\r\n\n", "b"}));
  EXPECT_EQ(gpt4("a ?!\n b"), (Pieces{"a", " ?!\n", " b"}));
  EXPECT_EQ(gpt4("a. \nb"), (Pieces{"a", ".", " \n", "b"}));  // no other space between
  EXPECT_EQ(gpt4("\t!"), (Pieces{"\t", "!"}));
}

TEST(PretokenizerGpt4, WhiteSpaceThroughItsLastNewline) {
  EXPECT_EQ(gpt4("a \n \n  b"), (Pieces{"a", " \n \n", " ", " b"}));
  EXPECT_EQ(gpt4("a\n\tb"), (Pieces{"a", "\n", "\tb"}));
  EXPECT_EQ(gpt4("a\n\t1"), (Pieces{"a", "\n", "\t", "1"}));
  EXPECT_EQ(gpt4("a \r"), (Pieces{"a", " \r"}));
  EXPECT_EQ(gpt4("a \n  "), (Pieces{"a", " \n", "  "}));  // also at the end
  EXPECT_EQ(gpt4("a   b"), (Pieces{"a", "  ", " b"}));
  EXPECT_EQ(gpt4("a \u3000b"), (Pieces{"a", " ", "\u3000b"}));
  EXPECT_EQ(gpt4("a\u2028b\u2028\n"), (Pieces{"a", "\u2028b", "\u2028\n"}));  // no newline itself
}

// Each is a character that is neither letter, number nor space.
TEST(Pretokenizer, BytesOutsideUtf8) {
  EXPECT_EQ(gpt2("a\xFF\xFE b \x80!"), (Pieces{"a", "\xFF\xFE", " b", " \x80!"}));
  EXPECT_EQ(gpt4("a\xFF\xFE"
                 "b\xFF"
                 "c"),
            (Pieces{"a", "\xFF\xFE", "b",
                    "\xFF"
                    "c"}));
  EXPECT_EQ(gpt2("1\xE4\xB8"), (Pieces{"1", "\xE4\xB8"}));  // the end cuts a letter
  EXPECT_EQ(gpt2(std::string_view("\xE4\xB8\xAD", 2)), (Pieces{"\xE4\xB8"}));
  EXPECT_EQ(gpt2("\xC1\xA1"), (Pieces{"\xC1\xA1"}));  // an overlong a
  EXPECT_EQ(gpt4(std::string_view("\0\0a", 3)), (Pieces{std::string(2, '\0'), "a"}));
}

TEST(Pretokenizer, PiecesOfOthers) {
  const std::string path = std::string(CRIA_SOURCE_DIR) + "/tests/golden/pretokenizer.json";
  const Json cases = Json::parse(read_file(path), path);
  EXPECT_GT(cases.as_array(path).size(), 300u);
  for (const Json& one : cases.as_array(path)) {
    const std::string text = one.find("text")->as_string(path);
    const auto lengths = [&](const Pieces& all) {
      Json::Array lengths;
      for (const std::string& piece : all) lengths.emplace_back(piece.size());
      return Json(lengths);
    };
    EXPECT_EQ(lengths(gpt2(text)), *one.find("gpt2")) << testing::PrintToString(text);
    EXPECT_EQ(lengths(gpt4(text)), *one.find("gpt4")) << testing::PrintToString(text);
  }
}

// A text cut between two pieces keeps them, if the second begins with white space or the first does
// not end with it. The alphabet has no white space beyond ASCII.
TEST(Pretokenizer, PiecesOnEitherSideOfACut) {
  std::mt19937 random(1);
  const std::string_view alphabet = "  \n\r\t'slLre1a!\xC2\xB2\xFF";
  const auto is_space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  int cuts = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (int i = 0; i < 24; ++i) text += alphabet[random() % alphabet.size()];
    for (const Pattern pattern : {Pattern::gpt2, Pattern::gpt4}) {
      const Pieces whole = pieces(pattern, text);
      size_t cut = whole.front().size();
      for (size_t i = 1; i < whole.size(); cut += whole[i++].size()) {
        Pieces both = pieces(pattern, std::string_view(text).substr(cut));
        EXPECT_EQ(both, Pieces(whole.begin() + static_cast<std::ptrdiff_t>(i), whole.end()))
            << testing::PrintToString(text);
        if (is_space(text[cut - 1]) && !is_space(text[cut])) continue;
        const Pieces before = pieces(pattern, std::string_view(text).substr(0, cut));
        both.insert(both.begin(), before.begin(), before.end());
        EXPECT_EQ(both, whole) << testing::PrintToString(text);
        ++cuts;
      }
    }
  }
  EXPECT_GT(cuts, 10000);
}

// A piece that looks far ahead again and again would take hours here.
TEST(Pretokenizer, TimeIsLinear) {
  constexpr size_t kSize = 1 << 20;
  const auto start = std::chrono::steady_clock::now();
  for (const std::string unit : {"a", "1", " ", "\n", "'", "!", "\xFF", "\xE3\x80\x80", " \n", "! ",
                                 "'s", "'l", "\xE3\x80", " a", "\n!", "\u4E2D"}) {
    std::string text;
    while (text.size() < kSize) text += unit;
    for (const std::string& around : {text, "\n" + text, text + "a", "\n" + text + "\n \t!"}) {
      for (const Pattern pattern : {Pattern::gpt2, Pattern::gpt4}) {
        size_t begin = 0;
        while (begin < around.size()) begin = piece_end(pattern, around, begin);
        EXPECT_EQ(begin, around.size());
      }
    }
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

}  // namespace
}  // namespace cria
