#include "text/sentencepiece.h"

#include <gtest/gtest.h>

#include "cria/base/rng.h"
#include "support/encoded.h"
#include "support/errors.h"
#include "text/pretokenizer.h"
#include "text/small_sentencepiece.h"

namespace cria {
namespace {

using Strings = std::vector<std::string>;

const std::vector<FrontSpace> kFronts = {FrontSpace::each_part, FrontSpace::spaceless,
                                         FrontSpace::at_beginning};

// Spaces by twos; "\u00E9" has a token and "\u00E8" has none.
SentencePieceVocabulary sample(FrontSpace front = FrontSpace::each_part) {
  SentencePieceVocabulary vocabulary =
      small_sentencepiece({"a", "b", "c", "\u00E9"}, {{"\u2581", "a"},
                                                      {"b", "c"},
                                                      {"\u2581", "\u2581"},
                                                      {"\u2581a", "b"},
                                                      {"a", "a"},
                                                      {"\u00E9", "a"}});
  vocabulary.front = front;
  return vocabulary;
}

Strings names(const SentencePieceTokenizer& tokenizer, const std::vector<int32_t>& ids) {
  Strings result;
  for (const int32_t id : ids) result.push_back(tokenizer.sentencepiece_vocabulary()->names[id]);
  return result;
}

Strings pieces(std::string_view text, FrontSpace front = FrontSpace::each_part,
               bool allow_special = false) {
  const SentencePieceTokenizer tokenizer(sample(front));
  return names(tokenizer, encoded(tokenizer, text, allow_special));
}

TEST(SentencePiece, MergesByRankWithASpaceInFront) {
  EXPECT_EQ(pieces(""), Strings());
  EXPECT_EQ(pieces("a"), Strings({"\u2581a"}));
  EXPECT_EQ(pieces("ab"), Strings({"\u2581ab"}));
  EXPECT_EQ(pieces("abc"), Strings({"\u2581a", "bc"}));  // "bc" is of lower rank than "\u2581ab"
  EXPECT_EQ(pieces("aaaa"), Strings({"\u2581a", "aa", "a"}));
  EXPECT_EQ(pieces("b  a"), Strings({"\u2581", "b", "\u2581", "\u2581a"}));
  EXPECT_EQ(pieces("b   "), Strings({"\u2581", "b", "\u2581\u2581", "\u2581"}));
}

TEST(SentencePiece, WhatHasNoTokenIsItsBytes) {
  EXPECT_EQ(pieces("\u00E9a\u00E8\n"),
            Strings({"\u2581", "\u00E9a", "<0xC3>", "<0xA8>", "<0x0A>"}));
  EXPECT_EQ(pieces("a\xC3"), Strings({"\u2581a", "<0xC3>"}));
  EXPECT_EQ(pieces("\xA9"), Strings({"\u2581", "<0xA9>"}));
  // The name of a byte's token is no more than text.
  EXPECT_EQ(pieces("<0x0A>").size(), 7u);
}

TEST(SentencePiece, WhereASpaceIsPutInFront) {
  EXPECT_EQ(pieces(" a"), Strings({"\u2581", "\u2581a"}));
  for (const FrontSpace front : {FrontSpace::spaceless, FrontSpace::at_beginning}) {
    EXPECT_EQ(pieces("a", front), Strings({"\u2581a"}));
    EXPECT_EQ(pieces(" a", front), Strings({"\u2581a"}));
    EXPECT_EQ(pieces("\u2581"
                     "a",
                     front),
              Strings({"\u2581a"}));
  }
  const std::string parts = "a</s>a</s> a";
  EXPECT_EQ(pieces(parts, FrontSpace::each_part, true),
            Strings({"\u2581a", "</s>", "\u2581a", "</s>", "\u2581", "\u2581a"}));
  EXPECT_EQ(pieces(parts, FrontSpace::spaceless, true),
            Strings({"\u2581a", "</s>", "\u2581a", "</s>", "\u2581a"}));
  EXPECT_EQ(pieces(parts, FrontSpace::at_beginning, true),
            Strings({"\u2581a", "</s>", "a", "</s>", "\u2581a"}));
  EXPECT_EQ(pieces("</s>a", FrontSpace::at_beginning, true), Strings({"</s>", "a"}));
  EXPECT_EQ(pieces("</s>"), Strings({"\u2581", "<0x3C>", "<0x2F>", "<0x73>", "<0x3E>"}));
}

TEST(SentencePiece, TokensAreBytesOfText) {
  const SentencePieceTokenizer tokenizer(sample(), {.before = {1}, .after = {}});
  EXPECT_EQ(tokenizer.kind(), "sentencepiece");
  EXPECT_EQ(tokenizer.vocab_size(), 3 + 256 + 5 + 6);
  EXPECT_EQ(tokenizer.token(1), "<s>");
  EXPECT_EQ(tokenizer.token(kFirstByte + 10), "\n");
  EXPECT_EQ(tokenizer.token(kFirstByte), std::string_view("\0", 1));
  EXPECT_EQ(tokenizer.token(kFirstByte + 256), " ");
  EXPECT_EQ(tokenizer.token(encoded(tokenizer, "a")[0]), " a");
  EXPECT_EQ(tokenizer.encode_prompt("", "test"), std::vector<int32_t>{1});
}

TEST(SentencePiece, TheSpaceInFrontIsNotShown) {
  SentencePieceTokenizer tokenizer(sample());
  tokenizer.set_special_tokens({.bos = 1});
  const std::vector<int32_t> ids = encoded(tokenizer, "<s>  a a", true);
  std::string text;
  bool begins = true;
  for (const int32_t id : ids) text += tokenizer.shown(id, begins);
  EXPECT_EQ(text, "  a a");
  EXPECT_EQ(tokenizer.decode(encoded(tokenizer, "  a a")), "  a a");
  EXPECT_EQ(tokenizer.decode(encoded(tokenizer, "a")), "a");
}

// Any bytes, of few kinds so that much is merged.
std::string random_text(Rng& rng, size_t parts) {
  const Strings kinds = {"a", "b", "c", " ", "  ", "\u00E9", "\u00E8", "\xC3", "\xA9", "\n", "x"};
  std::string text;
  for (size_t i = 0; i < parts; ++i) text += kinds[rng.below(kinds.size())];
  return text;
}

TEST(SentencePiece, DecodesToTheSameBytes) {
  const SentencePieceTokenizer tokenizer(sample());
  Rng rng(1, "sentencepiece");
  for (int i = 0; i < 2000; ++i) {
    const std::string text = random_text(rng, rng.below(80));
    ASSERT_EQ(tokenizer.decode(encoded(tokenizer, text)), text);
  }
}

TEST(SentencePiece, CutTextHasTheIdsOfTheWhole) {
  Rng rng(2, "sentencepiece");
  for (const FrontSpace front : kFronts) {
    SentencePieceVocabulary vocabulary = sample(front);
    vocabulary.names.push_back("bx");  // a token that is no special one
    vocabulary.added.push_back({"bx", static_cast<int32_t>(vocabulary.own), false});
    const SentencePieceTokenizer tokenizer(vocabulary);
    for (int i = 0; i < 1000; ++i) {
      const std::string text = random_text(rng, 60);
      std::vector<int32_t> ids;
      size_t begin = 0;
      while (begin < text.size()) {
        const std::string_view rest = std::string_view(text).substr(begin);
        const size_t cut = tokenizer.find_cut(rest, 1 + rng.below(20));
        ASSERT_GT(cut, 0u);
        if (begin == 0) {
          tokenizer.encode(rest.substr(0, cut), ids, "test");
        } else {
          tokenizer.encode_after_cut(rest.substr(0, cut), ids, "test", begin);
        }
        begin += cut;
      }
      ASSERT_EQ(ids, encoded(tokenizer, text)) << text;
    }
  }
}

TEST(SentencePiece, LongTexts) {
  const SentencePieceTokenizer tokenizer(sample());
  // No place to cut for more than a piece: longest pieces, in whole characters, one after another.
  std::string text = "c" + std::string(2 * kLongestPiece + 5, 'a');
  const std::vector<int32_t> ids = encoded(tokenizer, text);
  EXPECT_EQ(tokenizer.decode(ids), text);
  EXPECT_EQ(ids.size(), 2 + kLongestPiece + 3);
  const size_t cut = tokenizer.find_cut(text, 10);
  EXPECT_EQ(cut, 1u + kLongestPiece);
  // Places to cut are found without going through the text.
  EXPECT_EQ(tokenizer.find_cut("aaaaaaaacaaaaa", 3), 8u);
  EXPECT_EQ(tokenizer.find_cut("aaaa", 3), 4u);
  EXPECT_EQ(tokenizer.find_cut("", 0), 0u);
  EXPECT_EQ(tokenizer.find_cut("a", 0), 1u);  // 0 is where the text begins
}

TEST(SentencePiece, NamesWhatIsWrongWithAVocabulary) {
  const auto expect = [](auto&& change, const std::string& part) {
    SentencePieceVocabulary vocabulary = sample();
    change(vocabulary);
    const std::string message =
        error_of([&] { SentencePieceTokenizer tokenizer(std::move(vocabulary)); });
    EXPECT_NE(message.find(part), message.npos) << message << "\nwanted " << part;
  };
  using V = SentencePieceVocabulary;
  expect([](V& v) { v.names[kFirstByte + 10] = "x"; }, "byte 10 has no token");
  expect([](V& v) { v.names[kFirstByte + 256] = "x"; }, "the space has no token");
  expect([](V& v) { v.names[kFirstByte + 257] = ""; }, "empty token");
  expect([](V& v) { v.names[kFirstByte + 257] = "\xC3"; }, "is not UTF-8");
  expect([](V& v) { v.names[kFirstByte + 257] = "b"; }, "two ids for the token 'b'");
  expect([](V& v) { v.merges[0].result = 9999; }, "merge 0 has an id outside the vocabulary");
  expect([](V& v) { std::swap(v.merges[0].left, v.merges[0].right); },
         "merge 0 does not make its result");
  expect([](V& v) { v.merges.push_back(v.merges[0]); }, "two merges of");
  expect(
      [](V& v) {
        v.names.push_back("<0x00><0x00>");
        const auto id = static_cast<int32_t>(v.own++);
        v.merges.push_back({kFirstByte, kFirstByte, id});
      },
      "merge 6 is of a token that stands for itself");
  const auto add = [](V& v, const std::string& name) {
    v.added.push_back({name, static_cast<int32_t>(v.names.size()), true});
    v.names.push_back(name);
  };
  expect(
      [&](V& v) {
        v.names[kFirstByte + 10] = "x";
        add(v, "<0x0A>");
      },
      "byte 10 has no token");
  expect(
      [&](V& v) {
        add(v, "aa\u2581");
        const auto aa = static_cast<int32_t>(std::ranges::find(v.names, "aa") - v.names.begin());
        v.merges.push_back({aa, kFirstByte + 256, v.added.back().id});
      },
      "merge 6 is of a token that stands for itself");
  expect([](V& v) { v.added[0].id = 9999; }, "added token '<unk>' has an id outside");
  expect([](V& v) { v.added[0].id = 1; }, "added token '<unk>' is not the token of its id");
  expect([](V& v) { --v.own; }, "id 269 is neither of the vocabulary nor an added token");
  expect([](V& v) { v.own += 1; }, "more tokens take part in merging than there are");
  expect([](V& v) { v.added.push_back(v.added[0]); }, "is there twice");
  EXPECT_NE(error_of([] { SentencePieceTokenizer t(sample(), {.before = {9999}, .after = {}}); }),
            "");
}

}  // namespace
}  // namespace cria
