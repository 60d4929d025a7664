#include "prepare/word_counts.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "support/threads.h"

namespace cria {
namespace {

using Counts = std::vector<std::pair<std::string, int64_t>>;

Counts list(const WordCounts& words) {
  Counts counts;
  for (int64_t i = 0; i < words.size(); ++i) {
    counts.emplace_back(words.word(i), words.count(i));
  }
  return counts;
}

std::vector<std::string> pieces(Regex regex, std::string_view text) {
  std::vector<std::string> list;
  for (size_t begin = 0, end; begin < text.size(); begin = end) {
    end = piece_end(regex, text, begin);
    list.emplace_back(text.substr(begin, end - begin));
  }
  return list;
}

// Characters that the regexes treat differently, and bytes that are none.
std::string random_text(uint32_t seed, size_t characters) {
  const std::vector<std::string> alphabet = {
      "a",          "B",      "s",        "'",      "7",
      "\u0664",     ".",      " ",        " ",      "\n",
      "\r",         "\t",     "\v",       "\u00e9", "\u4e2d",
      "\u3002",     "\u3000", "\u00a0",   "\u0085", "\u0301",
      "\U0001F600", "\xff",   "\xe4\xb8", "\x80",   std::string(1, '\0')};
  std::mt19937 random(seed);
  std::string text;
  for (size_t i = 0; i < characters; ++i) text += alphabet[random() % alphabet.size()];
  return text;
}

const std::vector<Regex> kRegexes = {Regex::gpt2, Regex::gpt4, Regex::llama3, Regex::smollm};

TEST(WordCounts, CountsPiecesInOrderOfFirstOccurrence) {
  WordCounts words(Regex::gpt2);
  words.add("the cat, the dog");
  words.add("the end");
  words.add("");
  const Counts expected = {{"the", 2},  {" cat", 1}, {",", 1},
                           {" the", 1}, {" dog", 1}, {" end", 1}};
  EXPECT_EQ(list(words), expected);
}

TEST(WordCounts, NoPieceGoesFromOneTextIntoTheNext) {
  WordCounts words(Regex::gpt2);
  const std::vector<std::string_view> texts = {"ab", "", "cd", "ab"};
  words.add(texts);
  const Counts expected = {{"ab", 2}, {"cd", 1}};
  EXPECT_EQ(list(words), expected);
}

TEST(WordCounts, TakesWordsAsTheyAre) {
  WordCounts words(Regex::gpt2);
  const std::string zeros(3, '\0');
  words.add_word("two words", 5);
  words.add_word(zeros, 2);
  words.add_word(zeros.substr(1), 7);
  words.add_word("two words", 1LL << 40);
  const Counts expected = {{"two words", 5 + (1LL << 40)}, {zeros, 2}, {zeros.substr(1), 7}};
  EXPECT_EQ(list(words), expected);
}

TEST(WordCounts, ManyWordsAsAMapCountsThem) {
  std::map<std::string, int64_t> expected;
  WordCounts words(Regex::gpt2);
  std::mt19937 random(1);
  for (int i = 0; i < 50000; ++i) {
    const std::string word = std::to_string(random() % 20000);
    words.add_word(word, 1 + i % 3);
    expected[word] += 1 + i % 3;
  }
  ASSERT_EQ(words.size(), static_cast<int64_t>(expected.size()));
  for (const auto& [word, count] : list(words)) EXPECT_EQ(count, expected[word]) << word;
}

// Texts of many chunks, one of a single chunk and one that cannot be cut: what is counted, and its
// order, are those of one thread that walks through each text.
TEST(WordCounts, AnyNumberOfThreadsCountsTheSame) {
  const std::string long_text = random_text(1, 200000);
  const std::string uncut(300000, 'a');
  const std::vector<std::string_view> texts = {long_text, "short", uncut, long_text};
  for (const Regex regex : kRegexes) {
    WordCounts expected(regex);
    for (const std::string_view text : texts) {
      for (const std::string& piece : pieces(regex, text)) {
        for (size_t at = 0; at < piece.size(); at += WordCounts::kLongestWord) {
          expected.add_word(piece.substr(at, WordCounts::kLongestWord), 1);
        }
      }
    }
    for (const int threads : {1, 2, 3, 5}) {
      const ThreadCount scope(threads);
      WordCounts words(regex);
      words.add(texts);
      EXPECT_EQ(list(words), list(expected)) << threads << " threads";
    }
  }
}

TEST(WordCounts, LongPiecesAreCountedInParts) {
  WordCounts words(Regex::gpt2);
  words.add(std::string(2 * WordCounts::kLongestWord + 5, 'a'));
  const Counts expected = {{std::string(WordCounts::kLongestWord, 'a'), 2}, {"aaaaa", 1}};
  EXPECT_EQ(list(words), expected);
}

TEST(WordCounts, DropsTheRarestBeyondTheBudget) {
  WordCounts words(Regex::gpt2, {.words = 6, .bytes = 1000});
  words.add("a;a;a;b;b;c");  // a 3, ; 5, b 2, c 1
  EXPECT_EQ(words.size(), 4);
  EXPECT_EQ(words.dropped(), 0);
  words.add("d-d");  // 6 words: still within it
  EXPECT_EQ(words.size(), 6);
  words.add("e");  // 3 are left: of those that occurred twice, b was there before d
  EXPECT_EQ(list(words), (Counts{{"a", 3}, {";", 5}, {"d", 2}}));
  EXPECT_EQ(words.dropped(), 4);
  words.add("a;b");
  EXPECT_EQ(list(words), (Counts{{"a", 4}, {";", 6}, {"d", 2}, {"b", 1}}));
}

TEST(WordCounts, DropsByBytesToo) {
  WordCounts words(Regex::gpt2, {.words = 1000, .bytes = 20});
  words.add("aaaaaaaa 1 22222222 aaaaaaaa");
  EXPECT_EQ(list(words), (Counts{{" aaaaaaaa", 1}}));  // 9 of the 28 bytes: at most 10 stay
  EXPECT_EQ(words.dropped(), 3);
}

TEST(WordCounts, WhatIsDroppedDoesNotDependOnThreads) {
  const std::string text = random_text(2, 300000);
  Counts first;
  for (const int threads : {1, 3}) {
    const ThreadCount scope(threads);
    WordCounts words(Regex::gpt4, {.words = 3000, .bytes = 20000});
    for (size_t at = 0; at < text.size(); at += 100000) {
      words.add(std::string_view(text).substr(at, 100000));
    }
    EXPECT_GT(words.dropped(), 0);
    if (threads == 1) first = list(words);
    EXPECT_EQ(list(words), first);
  }
}

}  // namespace
}  // namespace cria
