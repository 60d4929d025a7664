#include "tokenizer_files/bpe_files.h"

#include <gtest/gtest.h>

#include "base/mutations.h"
#include "cria/base/file.h"
#include "cria/base/json.h"
#include "support/encoded.h"
#include "support/errors.h"
#include "support/files.h"
#include "tokenizer_files/byte_characters.h"

namespace cria {
namespace {

using Ids = std::vector<int32_t>;

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view part = bytes.substr(at, 3);
    uint32_t bits = 0;
    for (size_t i = 0; i < 3; ++i) {
      bits = bits << 8 | (i < part.size() ? static_cast<unsigned char>(part[i]) : 0u);
    }
    for (size_t i = 0; i < 4; ++i) {
      text += i > part.size() ? '=' : kDigits[bits >> (18 - 6 * i) & 63];
    }
  }
  return text;
}

class BpeFiles : public testing::Test {
 protected:
  // The bytes in order, then tokens.
  static std::string vocab_json(const std::vector<std::string>& tokens) {
    Json::Object entries;
    for (const std::string& byte : byte_characters()) entries.emplace_back(byte, entries.size());
    for (const std::string& token : tokens) entries.emplace_back(token, entries.size());
    return Json(entries).dump();
  }

  static std::string tiktoken(const std::vector<std::string>& tokens) {
    std::string text;
    for (int byte = 0; byte < 256; ++byte) {
      text += base64(std::string(1, static_cast<char>(byte))) + " " + std::to_string(byte) + "\n";
    }
    for (size_t i = 0; i < tokens.size(); ++i) {
      text += base64(tokens[i]) + " " + std::to_string(256 + i) + "\n";
    }
    return text;
  }

  BpeVocabulary read_gpt2(const std::string& vocab, const std::string& merges) const {
    write_quickly(vocab_, vocab);
    write_quickly(merges_, merges);
    return read_gpt2_files(vocab_, merges_);
  }

  BpeVocabulary read_tiktoken(const std::string& text) const {
    write_quickly(vocab_, text);
    return read_tiktoken_file(vocab_, Regex::llama3);
  }

  static void expect_start(const std::string& message, const std::string& start) {
    EXPECT_TRUE(message.starts_with(start)) << message << "\nwanted " << start;
  }

  TemporaryDirectory directory_;
  std::string vocab_ = directory_ / "vocab", merges_ = directory_ / "merges.txt";
};

TEST_F(BpeFiles, ReadsGpt2) {
  // A merge may begin with '#'; only the first line may be a version.
  const BpeVocabulary vocabulary =
      read_gpt2(vocab_json({"Ġa", "#b", "#versionĠa", "#version", "<|end of é|>"}),
                "#version: 0.2\nĠ a\n# b\n#version Ġa");
  ASSERT_EQ(vocabulary.merges.size(), 3u);
  EXPECT_EQ(vocabulary.tokens[256], " a");
  EXPECT_EQ(vocabulary.tokens[258], "#version a");
  EXPECT_EQ(vocabulary.merges[0].left, ' ');
  EXPECT_EQ(vocabulary.merges[2].right, 256);
  EXPECT_FALSE(vocabulary.ignore_merges);
  EXPECT_EQ(vocabulary.regex, Regex::gpt2);
  // What nothing makes is special, and its text is not mapped.
  ASSERT_EQ(vocabulary.added.size(), 2u);
  EXPECT_EQ(vocabulary.added[1].text, "<|end of é|>");
  EXPECT_EQ(vocabulary.added[1].id, 260);
  EXPECT_TRUE(vocabulary.added[1].special);
  EXPECT_EQ(encoded(BpeTokenizer(vocabulary), "x a<|end of é|>", true), (Ids{'x', 256, 260}));
}

TEST_F(BpeFiles, NamesWhatIsWrongInGpt2Files) {
  const std::string good = vocab_json({"ab", "abc"});
  const auto error = [&](const std::string& vocab, const std::string& merges) {
    return error_of([&] { read_gpt2(vocab, merges); });
  };
  EXPECT_EQ(error(good, "a b\nab c\n"), "");
  for (const std::string line : {"ab", "a  b", "a b c", " a", "a ", "", " "}) {
    expect_start(error(good, "a b\n" + line + "\nab c\n"), merges_ + ":2: not a merge");
  }
  expect_start(error(good, "a b\n#version: 0.2\n"), merges_ + ":2: a merge of what is not");
  expect_start(error(good, "a b\r\n"), merges_ + ":1: a merge of what is not in the vocabulary");
  expect_start(error(good, "a b\nb c\n"), merges_ + ":2: a merge of what is not");
  expect_start(error(good, "a b\na b\n"), vocab_ + ": two merges of 'a' and 'b'");
  expect_start(error("{\n\"a\":0,\n\"a\":1}", ""), vocab_ + ":3:1: repeated JSON key");
  expect_start(error("[]", ""), vocab_ + ": ");
  expect_start(error("{}", ""), vocab_ + ": no byte has a token");
  expect_start(error(R"({"a":1})", ""), vocab_ + ": ids with holes: token 'a'");
  expect_start(error(R"({"a":0,"b":0})", ""), vocab_ + ": two tokens have the id 0");
  expect_start(error(R"({"a":"0"})", ""), vocab_ + ": the id of token 'a'");
  expect_start(error(R"({"":0})", ""), vocab_ + ": empty token");
  write_quickly(vocab_, good);
  expect_start(error_of([&] { read_gpt2_files(vocab_, directory_ / "none"); }),
               (directory_ / "none") + ":");
}

TEST_F(BpeFiles, ReadsTiktoken) {
  const BpeVocabulary vocabulary = read_tiktoken(tiktoken({"ab", "bc", "abc", "xyz"}));
  EXPECT_EQ(vocabulary.tokens[258], "abc");
  EXPECT_TRUE(vocabulary.ignore_merges);
  EXPECT_EQ(vocabulary.regex, Regex::llama3);
  // Both ways to make abc, by the ranks of their parts.
  ASSERT_EQ(vocabulary.merges.size(), 4u);
  EXPECT_EQ(vocabulary.merges[2].left, 'a');
  EXPECT_EQ(vocabulary.merges[2].right, 257);
  EXPECT_EQ(vocabulary.merges[3].left, 256);
  const BpeTokenizer bpe(vocabulary);
  EXPECT_EQ(encoded(bpe, "xyz"), (Ids{259}));  // a whole piece, though nothing makes it
  EXPECT_EQ(encoded(bpe, "xyza"), (Ids{'x', 'y', 'z', 'a'}));
  EXPECT_EQ(encoded(bpe, "dabc"), (Ids{'d', 258}));
}

TEST_F(BpeFiles, NamesWhatIsWrongInATiktokenFile) {
  const auto error = [&](const std::string& line) {
    return error_of([&] { read_tiktoken(tiktoken({"ab"}) + line); });
  };
  const std::string at = vocab_ + ":258: ";
  EXPECT_EQ(error("eHl6 257"), "");
  expect_start(error("eHl6"), at + "not a token");
  expect_start(error("eHl6 "), at + "not a token");
  expect_start(error("eHl6 257 "), at + "not a token");
  expect_start(error("eHl6  257"), at + "not a token");
  expect_start(error("\n"), at + "not a token");
  for (const std::string digits :
       {"eHl", "eHl6=", "eHl6====", "e=l6", "eHk", "eHl=", "eB==", "?a=="}) {
    expect_start(error(digits + " 257"), at + "invalid base64");
  }
  expect_start(error(" 257"), at + "empty token");
  expect_start(error("eHl6 258"), vocab_ + ": ids with holes: token 'xyz' (line 258)");
  expect_start(error("eHl6 -1"), vocab_ + ": ids with holes");
  expect_start(error("eHl6 256"), vocab_ + ": two tokens have the id 256");
  expect_start(error("YWI= 257"), vocab_ + ": two ids for the token 'ab'");
  expect_start(error_of([&] { read_tiktoken("YWI= 0\n"); }), vocab_ + ": no byte has a token");
  expect_start(error_of([&] { read_tiktoken(""); }), vocab_ + ": no byte has a token");
}

// The ways to make a token of others: as many as it has bytes, and each is as long.
TEST_F(BpeFiles, ASmallTiktokenFileMakesNoLargeVocabulary) {
  const auto runs_up_to = [](size_t longest) {
    std::vector<std::string> runs;
    for (size_t size = 2; size <= longest; ++size) runs.emplace_back(size, 'a');
    return runs;
  };
  EXPECT_EQ(read_tiktoken(tiktoken(runs_up_to(200))).merges.size(), 200u * 199 / 2);
  expect_start(error_of([&] { read_tiktoken(tiktoken(runs_up_to(400))); }),
               vocab_ + ": too many ways to make tokens of others");
  // Of a token without parts nothing is looked at but its length.
  EXPECT_TRUE(read_tiktoken(tiktoken({std::string(500'000, 'a')})).merges.empty());
}

TEST_F(BpeFiles, DamagedFilesAreReadOrRefused) {
  const std::vector<std::string> vocabs = {vocab_json({"ab", "bc", "abc", "<s>"})};
  const std::vector<std::string> merges = {"#version: 0.2\na b\nb c\na bc\n", "a b\n"};
  const std::vector<std::string> tiktokens = {tiktoken({"ab", "bc", "abc", "xyz"})};
  Rng rng(1, "bpe_files");
  const auto attempt = [&](auto&& read) {
    const std::string message = error_of([&] {
      const BpeTokenizer bpe(read());
      ASSERT_EQ(bpe.decode(encoded(bpe, "abcabxyz<s>", true)), "abcabxyz<s>");
    });
    const bool named = message.starts_with(vocab_) || message.starts_with(merges_);
    EXPECT_TRUE(message.empty() || named) << message;
    return message.empty() ? 1 : 0;
  };
  constexpr int kRounds = 300;
  int readable = 0;
  for (int i = 0; i < kRounds; ++i) {
    readable += attempt([&] { return read_gpt2(mutated(vocabs, rng), merges[0]); });
    readable += attempt([&] { return read_gpt2(vocabs[0], mutated(merges, rng)); });
    readable += attempt([&] { return read_tiktoken(mutated(tiktokens, rng)); });
  }
  // Both outcomes must occur.
  EXPECT_GT(readable, 20);
  EXPECT_LT(readable, 2 * kRounds);
}

TEST(Gpt2Files, GiveKnownIds) {
  const std::string names = shared_file("gpt2/vocab.json"), merges = shared_file("gpt2/merges.txt");
  if (names.empty()) GTEST_SKIP() << "CRIA_SHARED_DATA names no folder with gpt2/vocab.json";
  const BpeTokenizer bpe(read_gpt2_files(names, merges));
  EXPECT_EQ(bpe.bpe_vocabulary()->tokens.size(), 50257u);
  EXPECT_EQ(bpe.bpe_vocabulary()->merges.size(), 50000u);
  ASSERT_EQ(bpe.bpe_vocabulary()->added.size(), 1u);
  EXPECT_EQ(encoded(bpe, "Hello, world!<|endoftext|>", true), (Ids{15496, 11, 995, 0, 50256}));
  EXPECT_EQ(encoded(bpe, "  tokenization"), (Ids{220, 11241, 1634}));
}

}  // namespace
}  // namespace cria
