#include "text/bpe_tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "cria/base/rng.h"
#include "support/encoded.h"
#include "support/errors.h"
#include "text/tiny_vocabulary.h"

namespace cria {
namespace {

using Ids = std::vector<int32_t>;
using Strings = std::vector<std::string>;

// What the ids stand for, which is easier to read than the ids.
Strings texts_of(const BpeTokenizer& bpe, const Ids& ids) {
  Strings texts;
  for (const int32_t id : ids) texts.push_back(bpe.decode({id}));
  return texts;
}

Strings piece(const BpeTokenizer& bpe, std::string_view text) {
  Ids ids;
  bpe.encode_piece(text, ids);
  return texts_of(bpe, ids);
}

// The definition: one merge after the other, each found by looking at all pairs.
Ids by_definition(const BpeVocabulary& vocabulary, std::string_view text) {
  Ids ids;
  for (const char byte : text) ids.push_back(static_cast<unsigned char>(byte));
  for (;;) {
    const auto lowest = std::find_if(
        vocabulary.merges.begin(), vocabulary.merges.end(), [&](const BpeMerge& merge) {
          const Ids pair = {merge.left, merge.right};
          return std::search(ids.begin(), ids.end(), pair.begin(), pair.end()) != ids.end();
        });
    if (lowest == vocabulary.merges.end()) return ids;
    const Ids pair = {lowest->left, lowest->right};
    const auto at = std::search(ids.begin(), ids.end(), pair.begin(), pair.end());
    *at = lowest->result;
    ids.erase(at + 1);
  }
}

const std::vector<std::pair<std::string, std::string>> kMerges = {
    {"a", "a"},   {"b", "a"},   {"aa", "b"},  {"ba", "ba"},     {"a", "b"},
    {"aa", "aa"}, {"ab", "ba"}, {"c", "aab"}, {"aaaa", "aaaa"}, {"b", "c"}};

TEST(Bpe, LowestRankFirstThenLeftmost) {
  const BpeTokenizer bpe(tiny_vocabulary({{"b", "c"}, {"a", "b"}, {"a", "a"}, {"a", "bc"}}));
  EXPECT_EQ(piece(bpe, "abc"), (Strings{"abc"}));  // b c before a b
  EXPECT_EQ(piece(bpe, "abd"), (Strings{"ab", "d"}));
  EXPECT_EQ(piece(bpe, "aaa"), (Strings{"aa", "a"}));  // the leftmost of two
  EXPECT_EQ(piece(bpe, "aab"), (Strings{"a", "ab"}));  // a b ranks before a a
  EXPECT_EQ(piece(bpe, "x"), (Strings{"x"}));
  EXPECT_EQ(piece(bpe, ""), Strings{});
}

TEST(Bpe, ShortAndLongPiecesAreAsDefined) {
  const BpeVocabulary vocabulary = tiny_vocabulary(kMerges);
  const BpeTokenizer bpe(vocabulary);
  Rng rng(1, "bpe");
  for (int i = 0; i < 500; ++i) {
    std::string text(rng.below(i % 2 ? 120 : 20), ' ');
    for (char& c : text) c = "aaabbc"[rng.below(6)];
    Ids ids;
    bpe.encode_piece(text, ids);
    ASSERT_EQ(ids, by_definition(vocabulary, text)) << text;
  }
}

// A scan of all pairs for each merge would take hours.
TEST(Bpe, OneRepeatedByteIsNotQuadratic) {
  const BpeTokenizer bpe(tiny_vocabulary(kMerges));
  Ids ids;
  bpe.encode_piece(std::string(1'000'001, 'a'), ids);
  Ids expected(125'000, encoded(bpe, "aaaaaaaa").front());
  expected.push_back('a');
  EXPECT_EQ(ids, expected);
}

TEST(Bpe, IgnoreMergesTakesAPieceThatIsAToken) {
  BpeVocabulary vocabulary = tiny_vocabulary({{"a", "b"}, {"b", "c"}}, {"<s>"});
  vocabulary.tokens.push_back("abc");  // which no merge makes
  EXPECT_EQ(piece(BpeTokenizer(vocabulary), "abc"), (Strings{"ab", "c"}));
  vocabulary.ignore_merges = true;
  const BpeTokenizer bpe(vocabulary);
  EXPECT_EQ(piece(bpe, "abc"), (Strings{"abc"}));
  EXPECT_EQ(piece(bpe, "abcb"), (Strings{"ab", "c", "b"}));
  EXPECT_EQ(piece(bpe, "<s>"), (Strings{"<", "s", ">"}));  // an added token is no piece
}

TEST(Bpe, AddedTokensAreSplitOffWhenAllowed) {
  BpeVocabulary vocabulary = tiny_vocabulary({{"a", "b"}}, {"<s>", "<s>>", "s>a", "<"});
  vocabulary.added[3].special = false;
  const BpeTokenizer bpe(vocabulary);
  EXPECT_EQ(texts_of(bpe, encoded(bpe, "ab<s>ab", true)), (Strings{"ab", "<s>", "ab"}));
  // The longest there; the leftmost, though a longer one starts inside it.
  EXPECT_EQ(texts_of(bpe, encoded(bpe, "<s>>", true)), (Strings{"<s>>"}));
  EXPECT_EQ(encoded(bpe, "<s>a", true), (Ids{257, 'a'}));
  EXPECT_EQ(encoded(bpe, "ss>a", true), (Ids{'s', 259}));
  EXPECT_EQ(encoded(bpe, "<s><s>", true), (Ids{257, 257}));
  // Only the one that is not special.
  EXPECT_EQ(encoded(bpe, "<s>a", false), (Ids{260, 's', '>', 'a'}));
}

TEST(Bpe, MergesDoNotCrossAddedTokensOrPieces) {
  const BpeTokenizer bpe(tiny_vocabulary({{"a", "b"}, {"a", " "}}, {"|"}));
  EXPECT_EQ(texts_of(bpe, encoded(bpe, "a|b a b", true)),
            (Strings{"a", "|", "b", " ", "a", " ", "b"}));
}

TEST(Bpe, AnyBytesComeBack) {
  const BpeTokenizer bpe(tiny_vocabulary(kMerges, {"<s>"}));
  Rng rng(1, "any bytes");
  for (int i = 0; i < 300; ++i) {
    std::string text(rng.below(200), ' ');
    for (char& c : text) c = static_cast<char>(i % 3 ? rng.below(256) : "ab <s>"[rng.below(6)]);
    for (const bool allow_special : {false, true}) {
      const Ids ids = encoded(bpe, text, allow_special);
      ASSERT_EQ(bpe.decode(ids), text);
      ASSERT_EQ(encoded(bpe, text, allow_special), ids);  // now from the cache
    }
  }
}

// More words than the cache holds, each of them twice.
TEST(Bpe, CacheChangesNothing) {
  const BpeVocabulary vocabulary = tiny_vocabulary(kMerges);
  const BpeTokenizer bpe(vocabulary);
  std::string text;
  Ids expected;
  for (int i = 0; i < 100'000; ++i) {
    std::string word;
    for (int rest = i % 50'000 + 1; rest > 0; rest /= 3) word += "abc"[rest % 3];
    if (i % 1000 == 0) word += std::string(40, 'a');  // too long to be kept
    text += "." + word;
    const Ids ids = by_definition(vocabulary, word);
    expected.push_back('.');
    expected.insert(expected.end(), ids.begin(), ids.end());
  }
  EXPECT_EQ(encoded(bpe, text), expected);
}

TEST(Bpe, ThreadsMayShareOne) {
  const BpeTokenizer bpe(tiny_vocabulary(kMerges));
  const std::string text = "aab baab cab aaaa abba";
  const Ids expected = encoded(bpe, text);
  std::vector<Ids> ids(4);
  {
    std::vector<std::jthread> threads;
    for (Ids& out : ids) {
      threads.emplace_back([&] {
        for (int i = 0; i < 100; ++i) out = encoded(bpe, text);
      });
    }
  }
  for (const Ids& out : ids) EXPECT_EQ(out, expected);
}

TEST(Bpe, DecodeNamesAnIdOutside) {
  const BpeTokenizer bpe(tiny_vocabulary({}));
  EXPECT_EQ(bpe.decode({0, 255}), std::string("\0\xFF", 2));
  const std::string message = error_of([&] { bpe.decode({65, 256}); });
  EXPECT_EQ(message, "token id outside the vocabulary\n  expected: 0 to 255\n  got: 256");
  EXPECT_NE(error_of([&] { bpe.decode({-1}); }).find("got: -1"), std::string::npos);
}

// StarCoder's and SmolLM2's vocabularies have none for 21 bytes.
TEST(Bpe, AByteWithoutATokenMattersWhereATextHasIt) {
  for (const bool ignore_merges : {false, true}) {
    BpeVocabulary vocabulary = tiny_vocabulary({{"a", "b"}});
    vocabulary.tokens[4] = "\4!";
    vocabulary.ignore_merges = ignore_merges;
    const BpeTokenizer bpe(vocabulary);
    EXPECT_EQ(encoded(bpe, "ab abx"), (Ids{256, ' ', 256, 'x'}));
    EXPECT_EQ(
        error_of([&] { encoded(bpe, "ab ab\4"); }),
        "text at byte 5: the byte '\\x04' has no token\n  expected: bytes that the vocabulary "
        "has\n  got: '\\x04'\n  hint: leave it out of the text: the tokenizer was made without "
        "it");
    const std::string token = "\4!";
    if (ignore_merges) {
      EXPECT_EQ(encoded(bpe, token), Ids{4});
    } else {
      EXPECT_NE(error_of([&] { encoded(bpe, token); }), "");
    }
  }
}

TEST(Bpe, NamesWhatIsWrongWithAVocabulary) {
  const BpeVocabulary good = tiny_vocabulary({{"a", "b"}, {"ab", "c"}}, {"<s>", "</s>"});
  const auto expect_error = [&](const std::string& part, auto&& spoil) {
    BpeVocabulary vocabulary = good;
    spoil(vocabulary);
    const std::string message = error_of([&] { BpeTokenizer{vocabulary}; });
    EXPECT_NE(message.find(part), std::string::npos) << message << "\nwanted " << part;
  };
  EXPECT_EQ(error_of([&] { BpeTokenizer{good}; }), "");
  expect_error("empty token", [](auto& v) { v.tokens[256] = ""; });
  expect_error("two ids for the token 'b'", [](auto& v) { v.tokens.push_back("b"); });
  expect_error("merge 1 does not make its result", [](auto& v) { v.merges[1].left = 'x'; });
  expect_error("merge 0 has an id outside", [](auto& v) { v.merges[0].right = 260; });
  expect_error("merge 0 has an id outside", [](auto& v) { v.merges[0].left = -1; });
  expect_error("two merges of 'a' and 'b'", [](auto& v) { v.merges.push_back(v.merges[0]); });
  expect_error("empty added token", [](auto& v) { v.added[0].text = ""; });
  expect_error("added token '<s>' has an id outside", [](auto& v) { v.added[0].id = 260; });
  expect_error("added token '<s>' is not the token of its id", [](auto& v) { v.added[0].id = 1; });
  expect_error("added token '</s>' is there twice", [](auto& v) { v.added.push_back(v.added[1]); });
}

// --- NFC

BpeVocabulary normal_vocabulary(Regex regex) {
  BpeVocabulary vocabulary = tiny_vocabulary({{"\xC3", "\xA9"}, {">", "\n"}});
  vocabulary.regex = regex;
  vocabulary.nfc = true;
  vocabulary.added.push_back({"<x>", 258, false});
  vocabulary.tokens.push_back("<x>");
  return vocabulary;
}

TEST(BpeNfc, WhatIsBetweenAddedTokensIsNormalized) {
  const BpeTokenizer bpe(normal_vocabulary(Regex::qwen2));
  EXPECT_EQ(encoded(bpe, "e\u0301"), (Ids{256}));
  EXPECT_EQ(encoded(bpe, "\u00e9"), (Ids{256}));
  // The sign of the added token is its own.
  EXPECT_EQ(encoded(bpe, "<x>\u0338e\u0301"), (Ids{258, 0xCC, 0xB8, 256}));
  EXPECT_EQ(texts_of(bpe, encoded(bpe, ">\u0338")), (Strings{"\xE2", "\x89", "\xAF"}));
}

TEST(BpeNfc, CutsAreWhereBothSidesAreNormalizedAlone) {
  const std::vector<std::string> units = {"e",  "\u0301", "\u0323", "<x>",    ">", "\u0338", " ",
                                          "\n", "\u0958", "\u4e2d", "\u3002", "1", "\r\n"};
  Rng rng(1, "cuts");
  int cuts = 0;
  for (const Regex regex : {Regex::gpt2, Regex::qwen2}) {
    const BpeTokenizer bpe(normal_vocabulary(regex));
    for (int round = 0; round < 3000; ++round) {
      std::string text;
      for (int i = 0; i < 20; ++i) text += units[rng.below(units.size())];
      const size_t cut = bpe.find_cut(text, 1 + rng.below(text.size()));
      if (cut == text.size()) continue;
      Ids both = encoded(bpe, text.substr(0, cut));
      for (const int32_t id : encoded(bpe, text.substr(cut))) both.push_back(id);
      EXPECT_EQ(both, encoded(bpe, text)) << testing::PrintToString(text) << " at " << cut;
      ++cuts;
    }
  }
  EXPECT_GT(cuts, 2000);
}

}  // namespace
}  // namespace cria
