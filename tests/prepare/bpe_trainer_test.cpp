#include "prepare/bpe_trainer.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>

#include "cria/base/file.h"
#include "cria/base/json.h"
#include "support/errors.h"
#include "support/files.h"
#include "support/threads.h"
#include "tokenizer_files/byte_characters.h"

namespace cria {

namespace {

using Merges = std::vector<std::array<int32_t, 3>>;  // left, right, result
using Strings = std::vector<std::string>;

// Ids of bytes without special tokens: '!' is 0, and printing bytes follow each other.
constexpr int32_t kA = 'a' - '!', kB = kA + 1, kC = kA + 2, kD = kA + 3;

WordCounts count(const std::vector<std::pair<std::string, int64_t>>& list) {
  WordCounts words(Regex::gpt2);
  for (const auto& [word, times] : list) words.add_word(word, times);
  return words;
}

BpeVocabulary learn(const std::vector<std::pair<std::string, int64_t>>& list, int64_t vocab_size,
                    const Strings& special_tokens = {}) {
  return train_bpe(count(list), vocab_size, special_tokens);
}

Merges merges_of(const BpeVocabulary& vocabulary) {
  Merges merges;
  for (const BpeMerge& merge : vocabulary.merges) {
    merges.push_back({merge.left, merge.right, merge.result});
  }
  return merges;
}

TEST(BpeTrainer, IdsAreSpecialTokensThenBytesThenMerges) {
  const BpeVocabulary learned = learn({{"ab", 2}}, 259, {"<s>", "</s>"});
  ASSERT_EQ(learned.tokens.size(), 259u);
  EXPECT_EQ(learned.tokens[0], "<s>");
  EXPECT_EQ(learned.tokens[1], "</s>");
  EXPECT_EQ(learned.tokens[2], "!");
  EXPECT_EQ(learned.tokens[2 + 93], "~");
  EXPECT_EQ(learned.tokens[2 + 94], "\xa1");
  EXPECT_EQ(learned.tokens[2 + 188], std::string(1, '\0'));  // the first that does not print
  EXPECT_EQ(learned.tokens[2 + 220], " ");
  EXPECT_EQ(learned.tokens[2 + 255], "\xad");  // the last
  EXPECT_EQ(learned.tokens[258], "ab");
  EXPECT_EQ(merges_of(learned), (Merges{{2 + kA, 2 + kB, 258}}));
  ASSERT_EQ(learned.added.size(), 2u);
  EXPECT_EQ(learned.added[1].text, "</s>");
  EXPECT_EQ(learned.added[1].id, 1);
  EXPECT_TRUE(learned.added[1].special);
  EXPECT_FALSE(learned.ignore_merges);
}

// abc 3, bc 2, cd 4: pairs bc 5, cd 4, ab 3; after bc: cd 4, a+bc 3.
TEST(BpeTrainer, MostFrequentPairFirst) {
  const BpeVocabulary learned = learn({{"abc", 3}, {"bc", 2}, {"cd", 4}}, 1000);
  EXPECT_EQ(merges_of(learned), (Merges{{kB, kC, 256}, {kC, kD, 257}, {kA, 256, 258}}));
  EXPECT_EQ(learned.tokens.size(), 259u);  // nothing is left to merge
}

TEST(BpeTrainer, EquallyFrequentPairsByTheirIds) {
  const BpeVocabulary learned = learn({{"dc", 1}, {"ca", 1}, {"cb", 1}, {"da", 1}}, 260);
  EXPECT_EQ(merges_of(learned),
            (Merges{{kC, kA, 256}, {kC, kB, 257}, {kD, kA, 258}, {kD, kC, 259}}));
}

// Ids, not bytes, decide: a space comes after the letters.
TEST(BpeTrainer, TiesFollowIdsOfBytes) {
  const BpeVocabulary learned = learn({{" a", 1}, {"ba", 1}}, 257);
  EXPECT_EQ(merges_of(learned), (Merges{{kB, kA, 256}}));
}

// aaaaa has the pair aa four times; merged from the left it is aa aa a, with one pair of each.
TEST(BpeTrainer, OverlappingPairsFromTheLeft) {
  const BpeVocabulary learned = learn({{"aaaaa", 1}}, 1000);
  EXPECT_EQ(merges_of(learned), (Merges{{kA, kA, 256}, {256, kA, 257}, {256, 257, 258}}));
  EXPECT_EQ(learned.tokens.back(), "aaaaa");
}

TEST(BpeTrainer, OneWordOfAMillionEqualBytes) {
  const BpeVocabulary learned = learn({{std::string(1 << 20, 'a'), 1}}, 1000);
  ASSERT_EQ(learned.merges.size(), 20u);
  EXPECT_EQ(learned.tokens.back().size(), 1u << 20);
}

TEST(BpeTrainer, NoTextIsBytesOnly) {
  EXPECT_EQ(learn({}, 300).tokens.size(), 256u);
  EXPECT_TRUE(learn({{"a", 9}, {"", 1}}, 300).merges.empty());
}

TEST(BpeTrainer, CountsBeyond32Bits) {
  const BpeVocabulary learned = learn({{"ab", 1}, {"cd", 1LL << 40}, {"da", (1LL << 40) + 1}}, 258);
  EXPECT_EQ(merges_of(learned), (Merges{{kD, kA, 256}, {kC, kD, 257}}));
}

TEST(BpeTrainer, SpecialTokenOfTheTextIsTheSameToken) {
  const BpeVocabulary learned = learn({{"abc", 2}}, 258, {"ab"});
  EXPECT_EQ(merges_of(learned), (Merges{{1 + kA, 1 + kB, 0}, {0, 1 + kC, 257}}));
  EXPECT_EQ(learned.tokens[257], "abc");
}

TEST(BpeTrainer, ReportsProgress) {
  std::vector<int64_t> seen;
  train_bpe(count({{"abc", 1}}), 300, {}, [&](int64_t tokens, int64_t wanted) {
    EXPECT_EQ(wanted, 300);
    seen.push_back(tokens);
  });
  EXPECT_EQ(seen, (std::vector<int64_t>{257, 258}));
}

TEST(BpeTrainer, Errors) {
  const auto error = [](int64_t vocab_size, const Strings& special_tokens,
                        const std::string& word = "x") {
    return error_of([&] { learn({{word, 1}}, vocab_size, special_tokens); });
  };
  EXPECT_EQ(error(256, {}), "");
  EXPECT_NE(error(255, {}).find("vocabulary size 255"), std::string::npos);
  EXPECT_NE(error(-1, {}).find("at least 256"), std::string::npos);
  EXPECT_NE(error(257, {"<s>", "<e>"}).find("at least 258: 256 bytes and 2 special tokens"),
            std::string::npos);
  EXPECT_NE(error(1LL << 31, {}).find("2^31"), std::string::npos);
  EXPECT_NE(error(300, {"<s>", "<e>", "<s>"}).find("'<s>' is there twice"), std::string::npos);
  EXPECT_NE(error(300, {""}).find("is empty"), std::string::npos);
  EXPECT_NE(error(300, {"\xff\xff"}).find("is not UTF-8"), std::string::npos);
  EXPECT_NE(error(300, {"a"}).find("stands for a byte"), std::string::npos);
  EXPECT_NE(error(300, {"\u0120"}).find("stands for a byte"), std::string::npos);
  EXPECT_EQ(error(300, {"<a b>"}), "");  // a space stands for no byte there
  // "\u0120t" is how a file of the vocabulary spells " t".
  EXPECT_EQ(error(300, {"\u0120t"}), "");
  EXPECT_NE(error(300, {"\u0120t"}, " t").find("is spelled as a token"), std::string::npos);
}

// What the trainer of Hugging Face's tokenizers learns from the same words.
TEST(BpeTrainer, GoldenVocabularies) {
  const std::string path = std::string(CRIA_SOURCE_DIR) + "/tests/golden/bpe.json";
  const Json golden = Json::parse(read_file(path), path);
  ASSERT_EQ(golden.as_object(path).size(), 6u);
  for (const auto& [name, settings] : golden.as_object(path)) {
    const auto at = [&settings = settings](const char* key) -> const Json& {
      return *settings.find(key);
    };
    WordCounts words(Regex::gpt2);
    for (const auto& [word, times] : at("words").as_object(name)) {
      words.add_word(from_byte_characters(word).value(), times.as_int(name));
    }
    Strings special_tokens;
    for (const Json& text : at("special_tokens").as_array(name)) {
      special_tokens.push_back(text.as_string(name));
    }
    const BpeVocabulary learned = train_bpe(words, at("vocab_size").as_int(name), special_tokens,
                                            {}, at("min_frequency").as_int(name));

    Strings tokens = special_tokens;
    for (size_t id = tokens.size(); id < learned.tokens.size(); ++id) {
      tokens.push_back(to_byte_characters(learned.tokens[id]));
    }
    Strings expected_tokens;
    for (const Json& token : at("tokens").as_array(name)) {
      expected_tokens.push_back(token.as_string(name));
    }
    EXPECT_EQ(tokens, expected_tokens) << name;

    Merges expected;
    for (const Json& merge : at("merges").as_array(name)) {
      std::array<int32_t, 3>& ids = expected.emplace_back();
      for (size_t i = 0; i < 3; ++i) {
        ids[i] = static_cast<int32_t>(merge.as_array(name)[i].as_int(name));
      }
    }
    EXPECT_EQ(merges_of(learned), expected) << name;
  }
}

std::string checksum(const Merges& merges) {
  uint64_t value = 0xcbf29ce484222325u;  // FNV-1a
  for (const auto& [left, right, result] : merges) {
    const std::string line =
        std::to_string(left) + ' ' + std::to_string(right) + ' ' + std::to_string(result) + '\n';
    for (const char byte : line) {
      value = (value ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
    }
  }
  std::array<char, 17> text;
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(value));
  return text.data();
}

// The same, of real texts, which are not kept here.
TEST(BpeTrainer, GoldenChecksumsOfTexts) {
  const std::string path = std::string(CRIA_SOURCE_DIR) + "/tests/golden/bpe_text.json";
  const Json golden = Json::parse(read_file(path), path);
  for (const Json& settings : golden.as_array(path)) {
    const std::string name = settings.find("file")->as_string(path);
    const Regex by = regex(settings.find("pattern")->as_string(path));
    const int64_t vocab_size = settings.find("vocab_size")->as_int(path);
    const std::string text = shared_file(name);
    if (text.empty()) GTEST_SKIP() << "CRIA_SHARED_DATA names no folder with " << name;
    WordCounts words(by);
    words.add(read_file(text));
    const BpeVocabulary learned = train_bpe(words, vocab_size, {});
    EXPECT_EQ(checksum(merges_of(learned)), settings.find("checksum")->as_string(path))
        << name << ", " << vocab_size << " tokens, regex " << settings.dump();
  }
}

TEST(BpeTrainer, AnyNumberOfThreadsLearnsTheSame) {
  std::string text;
  for (int i = 0; i < 60000; ++i)
    text += std::to_string(i * 7919LL % 100003) + (i % 5 ? " " : ".\n");
  ASSERT_GT(text.size(), 300000u);
  Merges expected;
  for (const int threads : {1, 2, 3, 5}) {
    const ThreadCount scope(threads);
    WordCounts words(Regex::gpt4);
    words.add(text);
    const Merges merges = merges_of(train_bpe(words, 800, {}));
    if (threads == 1) expected = merges;
    EXPECT_EQ(merges, expected) << threads << " threads";
  }
  EXPECT_GT(expected.size(), 300u);
}

}  // namespace
}  // namespace cria
