#include "text/pretokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <random>

#include "cria/base/file.h"
#include "cria/base/json.h"
#include "support/errors.h"

namespace cria {
namespace {

// Of this process: other programs do not count.
double processor_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

using Pieces = std::vector<std::string>;

// What piece_end cuts text into.
Pieces pieces(Regex regex, std::string_view text) {
  Pieces all;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = piece_end(regex, text, begin);
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
  return pieces(Regex::gpt2, text);
}

// llama3 cuts as gpt4 does.
Pieces gpt4(std::string_view text) {
  const Pieces all = pieces(Regex::gpt4, text);
  EXPECT_EQ(pieces(Regex::llama3, text), all);
  return all;
}

TEST(Pretokenizer, Names) {
  EXPECT_EQ(regex_names(), (Pieces{"gpt2", "gpt4", "llama3", "smollm", "qwen2"}));
  EXPECT_EQ(regex("gpt2"), Regex::gpt2);
  EXPECT_EQ(regex("gpt4"), Regex::gpt4);
  EXPECT_EQ(regex("llama3"), Regex::llama3);
  EXPECT_EQ(regex("smollm"), Regex::smollm);
  EXPECT_EQ(regex("qwen2"), Regex::qwen2);
  const std::string message = error_of([] { regex("lama3"); });
  EXPECT_NE(message.find("'lama3'"), std::string::npos) << message;
  EXPECT_NE(message.find("did you mean 'llama3'?"), std::string::npos) << message;
}

TEST(Pretokenizer, NothingHasNoPieces) {
  EXPECT_EQ(gpt2(""), Pieces{});
  EXPECT_EQ(gpt4(""), Pieces{});
}

TEST(PretokenizerQwen2, IsGpt4sButForNumbers) {
  EXPECT_EQ(
      pieces(Regex::qwen2, "In 1984, it's\u00B2\u0664.\n\n x"),
      (Pieces{"In", " ", "1", "9", "8", "4", ",", " it", "'s", "\u00B2", "\u0664", ".\n\n", " x"}));
}

TEST(PretokenizerSmollm, EachNumberAlone) {
  const auto smollm = [](std::string_view text) { return pieces(Regex::smollm, text); };
  EXPECT_EQ(smollm("in 1984, x2"), (Pieces{"in", " ", "1", "9", "8", "4", ",", " x", "2"}));
  EXPECT_EQ(smollm("  7 \n 8  a"), (Pieces{"  ", "7", " \n ", "8", " ", " a"}));
  EXPECT_EQ(smollm("it's\u00B2\u0664"), (Pieces{"it", "'s", "\u00B2", "\u0664"}));
}

// Its definition cuts what is between two numbers as if it were all of the text.
TEST(PretokenizerSmollm, PartsBetweenNumbersAreGpt2s) {
  std::mt19937 random(2);
  const std::string_view alphabet = "  \n\t'slLre12a!\xC2\xFF";
  for (int round = 0; round < 3000; ++round) {
    std::string text, part;
    Pieces expected;
    const auto end_part = [&] {
      for (const std::string& piece : gpt2(part)) expected.push_back(piece);
      part.clear();
    };
    for (int i = 0; i < 24; ++i) {
      const char c = alphabet[random() % alphabet.size()];
      text += c;
      if (c == '1' || c == '2') {
        end_part();
        expected.push_back({c});
      } else {
        part += c;
      }
    }
    end_part();
    EXPECT_EQ(pieces(Regex::smollm, text), expected) << testing::PrintToString(text);
  }
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
    for (const Regex regex : {Regex::gpt2, Regex::gpt4, Regex::smollm}) {
      const Pieces whole = pieces(regex, text);
      size_t cut = whole.front().size();
      for (size_t i = 1; i < whole.size(); cut += whole[i++].size()) {
        Pieces both = pieces(regex, std::string_view(text).substr(cut));
        EXPECT_EQ(both, Pieces(whole.begin() + static_cast<std::ptrdiff_t>(i), whole.end()))
            << testing::PrintToString(text);
        if (is_space(text[cut - 1]) && !is_space(text[cut])) continue;
        const Pieces before = pieces(regex, std::string_view(text).substr(0, cut));
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
  constexpr size_t kSize = 1 << 18;
  const double start = processor_seconds();
  for (const std::string unit : {"a", "1", " ", "\n", "'", "!", "\xFF", "\xE3\x80\x80", " \n", "! ",
                                 "'s", "'l", "\xE3\x80", " a", "\n!", "\u4E2D"}) {
    std::string text;
    while (text.size() < kSize) text += unit;
    for (const std::string& around : {text, "\n" + text, text + "a", "\n" + text + "\n \t!"}) {
      for (const Regex regex : {Regex::gpt2, Regex::gpt4, Regex::smollm}) {
        size_t begin = 0;
        while (begin < around.size()) begin = piece_end(regex, around, begin);
        EXPECT_EQ(begin, around.size());
      }
    }
  }
  EXPECT_LT(processor_seconds() - start, 60);
}

// --- pieces are bounded

TEST(Pretokenizer, NoPieceIsLongerThanTheLongest) {
  const std::string letters(2 * kLongestPiece + 7, 'a');
  for (const Regex regex : {Regex::gpt2, Regex::gpt4, Regex::smollm}) {
    EXPECT_EQ(piece_end(regex, letters, 0), kLongestPiece);
    EXPECT_EQ(piece_end(regex, letters, 3), kLongestPiece + 3);
    EXPECT_EQ(piece_end(regex, letters, 2 * kLongestPiece), letters.size());
    // One that is as long is whole.
    EXPECT_EQ(piece_end(regex, letters.substr(0, kLongestPiece) + ".", 0), kLongestPiece);
    EXPECT_EQ(piece_end(regex, std::string(kLongestPiece + 9, ' '), 0), kLongestPiece);
  }
}

TEST(Pretokenizer, ALongPieceEndsBetweenCharacters) {
  std::string text = "a";
  while (text.size() < kLongestPiece + 10) text += "\u4e2d";
  const size_t end = piece_end(Regex::gpt4, text, 0);
  EXPECT_LE(end, kLongestPiece);
  EXPECT_GT(end, kLongestPiece - 3);
  EXPECT_EQ((end - 1) % 3, 0u);
}

// The first of a hundred takes as long as one of two does, where a walk to the end each time would
// make it fifty times as long.
TEST(Pretokenizer, ManyLongPiecesTakeLinearTime) {
  const std::string text(100 * kLongestPiece, 'a');
  const auto seconds = [&](size_t pieces) {
    double least = 1e9;
    for (int i = 0; i < 5; ++i) {
      const double start = processor_seconds();
      EXPECT_EQ(piece_end(Regex::gpt4, {text.data(), pieces * kLongestPiece}, 0), kLongestPiece);
      least = std::min(least, processor_seconds() - start);
    }
    return least;
  };
  EXPECT_LT(seconds(100), 10 * seconds(2));
}

// --- cuts

// Characters that the regexes treat differently, and bytes that are none.
std::string random_text(uint32_t seed, size_t characters, bool with_ascii_space) {
  std::vector<std::string> alphabet = {"a",
                                       "B",
                                       "s",
                                       "'",
                                       "7",
                                       "\u0664",
                                       ".",
                                       "\u00e9",
                                       "\u4e2d",
                                       "\u3002",
                                       "\u3000",
                                       "\u00a0",
                                       "\u0085",
                                       "\u0301",
                                       "\U0001F600",
                                       "\xff",
                                       "\xe4\xb8",
                                       "\x80",
                                       std::string(1, '\0')};
  if (with_ascii_space) alphabet.insert(alphabet.end(), {" ", " ", "\n", "\r", "\t", "\v"});
  std::mt19937 random(seed);
  std::string text;
  for (size_t i = 0; i < characters; ++i) text += alphabet[random() % alphabet.size()];
  return text;
}

// Both sides, piece by piece.
Pieces pieces_around(Regex regex, std::string_view text, size_t cut) {
  Pieces both = pieces(regex, text.substr(0, cut));
  for (std::string& piece : pieces(regex, text.substr(cut))) both.push_back(std::move(piece));
  return both;
}

TEST(NextCut, PiecesOfTheTwoSidesAreThoseOfTheWhole) {
  size_t cuts = 0;
  for (uint32_t seed = 0; seed < 300; ++seed) {
    const std::string text = random_text(seed, 60, true);
    for (const Regex regex : {Regex::gpt2, Regex::gpt4, Regex::smollm, Regex::qwen2}) {
      const Pieces whole = pieces(regex, text);
      const auto next = [&](size_t from) { return next_cut(regex, text, from, text.size()); };
      for (size_t cut = next(0); cut < text.size(); cut = next(cut + 1)) {
        EXPECT_EQ(pieces_around(regex, text, cut), whole) << "seed " << seed << " at " << cut;
        ++cuts;
      }
    }
  }
  EXPECT_GT(cuts, 3000u);
}

TEST(NextCut, FindsTheNextOneOrTheEnd) {
  const auto gpt2 = [](std::string_view text, size_t from) {
    return next_cut(Regex::gpt2, text, from, text.size());
  };
  const auto gpt4 = [](std::string_view text, size_t from) {
    return next_cut(Regex::gpt4, text, from, text.size());
  };
  EXPECT_EQ(gpt2("one two three", 0), 3u);
  EXPECT_EQ(gpt2("one two three", 3), 3u);
  EXPECT_EQ(gpt2("one two three", 4), 7u);
  EXPECT_EQ(gpt2("one two three", 8), 13u);
  EXPECT_EQ(gpt2(" one", 0), 4u);
  EXPECT_EQ(gpt2("", 0), 0u);
  EXPECT_EQ(gpt2("end.\nx", 0), 4u);
  EXPECT_EQ(gpt4("end.\nx", 0), 5u);  // ".\n" is one piece there
  EXPECT_EQ(gpt4("end.\n x", 0), 7u);
  EXPECT_EQ(gpt4("end. x", 0), 4u);
  EXPECT_EQ(gpt2("\u4e2d\n\u4e2d", 0), 3u);
  EXPECT_EQ(gpt4("\u3002\n\u4e2d", 0), 4u);
  EXPECT_EQ(gpt4("\u3002\n\u3000\n\u4e2d", 0), 8u);  // all of the white space is one piece
  EXPECT_EQ(next_cut(Regex::gpt2, "one two three", 4, 6), 6u);  // not found
}

// Far from every next_cut the pieces are walked: their ends are the whole text's.
TEST(FindCut, WalksWhereNothingElseHelps) {
  const std::string start(kCutSearch + 100, '\x80');  // one piece, and no next_cut
  size_t walked = 0;
  for (uint32_t seed = 0; seed < 100; ++seed) {
    // What follows is all that is looked at: the search stops before the first ASCII space.
    const std::string text = random_text(seed, 40, false) + start + " b";
    for (const Regex regex : {Regex::gpt2, Regex::gpt4, Regex::smollm}) {
      const Pieces whole = pieces(regex, text);
      for (const size_t from : {0u, 7u, 30u, 50u}) {
        const size_t cut = find_cut(regex, text, from);
        ASSERT_GE(cut, from);
        ASSERT_GT(cut, 0u);
        EXPECT_EQ(pieces_around(regex, text, cut), whole) << "seed " << seed << " from " << from;
        walked += cut < text.size() - 2;
      }
    }
  }
  EXPECT_GT(walked, 500u);
}

TEST(FindCut, WhatIsFarAwayMakesNoDifference) {
  const std::string text = std::string(3 * kLongestPiece, 'a') + " b c";
  const std::string_view near = std::string_view(text).substr(0, 2 * kLongestPiece + 100);
  EXPECT_EQ(find_cut(Regex::gpt4, text, 100), kLongestPiece);
  EXPECT_EQ(find_cut(Regex::gpt4, near, 100), kLongestPiece);
  EXPECT_EQ(find_cut(Regex::gpt4, "", 0), 0u);
}

}  // namespace
}  // namespace cria
