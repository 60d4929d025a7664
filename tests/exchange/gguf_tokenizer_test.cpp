#include "exchange/gguf_tokenizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cria/base/file.h"
#include "exchange/sentencepiece_scores.h"
#include "support/bytes.h"
#include "support/errors.h"
#include "support/files.h"
#include "text/bpe_tokenizer.h"
#include "text/small_sentencepiece.h"
#include "text/tiny_vocabulary.h"
#include "text/word_tokenizer.h"
#include "tokenizer_files/byte_characters.h"
#include "tokenizer_files/tokenizer_json.h"

namespace cria {
namespace {

using Ids = std::vector<int32_t>;
using Texts = std::vector<std::string>;

class GgufTokenizer : public testing::Test {
 protected:
  GgufFile write(const Tokenizer* tokenizer, int64_t rows) const {
    GgufMetadata metadata = {{"general.architecture", std::string("llama")}};
    append_gguf_tokenizer(metadata, tokenizer, rows, path_);
    return write(metadata);
  }

  GgufFile write(const GgufMetadata& metadata) const {
    const float number = 1;
    write_gguf(path_, metadata, {{"t", ConstTensor(&number, {1})}});
    return GgufFile(path_);
  }

  std::string refusal(const Tokenizer& tokenizer, int64_t rows) const {
    return error_of([&] { write(&tokenizer, rows); });
  }

  // The same ids, roles and ends.
  void expect_same(const Tokenizer& tokenizer, int64_t rows, const std::string& text) const {
    const std::unique_ptr<Tokenizer> read = read_gguf_tokenizer(write(&tokenizer, rows));
    EXPECT_EQ(read->kind(), tokenizer.kind());
    ASSERT_EQ(read->vocab_size(), tokenizer.vocab_size());
    for (int32_t id = 0; id < read->vocab_size(); ++id) {
      EXPECT_EQ(read->token(id), tokenizer.token(id));
    }
    EXPECT_EQ(read->added_tokens(), tokenizer.added_tokens());
    EXPECT_EQ(read->special_tokens(), tokenizer.special_tokens());
    EXPECT_EQ(read->ends(), tokenizer.ends());
    EXPECT_EQ(read->encode_prompt(text, "test", true), tokenizer.encode_prompt(text, "test", true));
    EXPECT_EQ(read->encode_prompt(text, "test"), tokenizer.encode_prompt(text, "test"));
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_ / "tokenizer.gguf";
};

constexpr const char* kText = "abc, abcd! <s> \xC3\xA9\n123  abab</s>  ";

TEST_F(GgufTokenizer, SentencePieceComesBackFromScores) {
  for (const FrontSpace front : {FrontSpace::each_part, FrontSpace::spaceless,
                                 FrontSpace::at_beginning, FrontSpace::never}) {
    SentencePieceVocabulary vocabulary = small_sentencepiece(
        {"a", "b", "c"}, {{"\u2581", "a"}, {"a", "b"}, {"\u2581", "ab"}, {"\u2581a", "b"}});
    vocabulary.front = front;
    vocabulary.names.push_back("<u>");
    vocabulary.added.push_back({"<u>", static_cast<int32_t>(vocabulary.names.size()) - 1, false});
    SentencePieceTokenizer tokenizer(vocabulary, {.before = {1}, .after = {}});
    tokenizer.set_special_tokens({.bos = 1, .eos = 2, .unk = 0});
    expect_same(tokenizer, 280, kText);
    expect_same(tokenizer, 280, " ab<u>ab");
    const GgufFile file = write(&tokenizer, 280);
    EXPECT_EQ(file.text("tokenizer.ggml.model"), "llama");
    EXPECT_EQ(file.flag("tokenizer.ggml.add_space_prefix"), front != FrontSpace::never);
    EXPECT_EQ(file.texts("tokenizer.ggml.tokens")[kFirstByte + 10], "<0x0A>");
    const std::vector<int64_t> types = file.integers("tokenizer.ggml.token_type");
    EXPECT_EQ((Ids{2, 3, 3, 6, 1, 4, 5}),
              (Ids{int32_t(types[0]), int32_t(types[1]), int32_t(types[2]),
                   int32_t(types[kFirstByte]), int32_t(types[kFirstByte + 256]),
                   int32_t(types[vocabulary.names.size() - 1]), int32_t(types[279])}));
    const std::vector<double> scores = file.reals("tokenizer.ggml.scores");
    EXPECT_EQ(scores[kFirstByte + 260], 0);   // U+2581 and a
    EXPECT_EQ(scores[kFirstByte + 261], -1);  // ab
    EXPECT_EQ(read_gguf_tokenizer(file)->sentencepiece_vocabulary()->front, front);
  }
}

// What only looks like the name of a byte is a token that others make.
TEST(SentencePieceScores, NamesOfBytesAreMadeOfNothing) {
  const std::vector<std::pair<std::string, std::string>> parts = {{"<0x4", "1>"}, {"<0xZ", "1>"},
                                                                  {"<0x1", "Z>"}, {"<0x41", "]"},
                                                                  {"[0x4", "1>"}, {"<0x", "1>"}};
  for (const auto& [left, right] : parts) {
    const Texts names = {left, right, left + right};
    EXPECT_EQ(vocabulary_of_scores(names, {0, 0, 0}, {}).merges.size(),
              names.back() == "<0x41>" ? 0u : 1u)
        << names.back();
  }
  EXPECT_EQ(vocabulary_of_scores({"<s>"}, {0}, {{"<s>", 0, true}}).own, 0u);
}

// Merges to the same token, in another order than scores bring them back.
TEST_F(GgufTokenizer, TheOrderOfMergesComesBack) {
  const SentencePieceTokenizer tokenizer(small_sentencepiece(
      {"a", "b"}, {{"\u2581", "a"}, {"a", "b"}, {"\u2581a", "b"}, {"\u2581", "ab"}}));
  EXPECT_EQ(tokenizer_json(*read_gguf_tokenizer(write(&tokenizer, 270))),
            tokenizer_json(tokenizer));
}

TEST_F(GgufTokenizer, BytesComeBack) {
  expect_same(*make_byte_tokenizer(), 256, kText);
  const auto tokenizer = make_byte_tokenizer({{"<s>", 256, true}, {"</s>", 257, true}});
  tokenizer->set_special_tokens({.bos = 256, .eos = 257, .pad = 257});
  tokenizer->set_ends({.before = {256}, .after = {257}});
  expect_same(*tokenizer, 300, kText);
  const GgufFile file(path_);
  const Texts& tokens = file.texts("tokenizer.ggml.tokens");
  EXPECT_EQ(tokens.size(), 300u);
  EXPECT_EQ(tokens[0], byte_characters()[0]);
  EXPECT_EQ(tokens[32], "\xC4\xA0");  // U+0120 for a space
  EXPECT_EQ(tokens[256], "<s>");
  EXPECT_EQ(tokens[299], "[PAD299]");
  EXPECT_EQ(file.texts("tokenizer.ggml.merges"), Texts{});
  const std::vector<int64_t> types = file.integers("tokenizer.ggml.token_type");
  EXPECT_EQ(types[255], 1);
  EXPECT_EQ(types[256], 3);
  EXPECT_EQ(types[258], 5);
  EXPECT_EQ(file.integer("tokenizer.ggml.eos_token_id"), 257);
  EXPECT_TRUE(file.flag("tokenizer.ggml.add_bos_token"));
  EXPECT_TRUE(file.flag("tokenizer.ggml.add_eos_token"));
}

// Characters of one to four bytes, two of which share their first three.
TEST_F(GgufTokenizer, CharactersComeBack) {
  const std::vector<uint32_t> characters = {'\n', ' ',  '<',    '>',     'a',    'b',
                                            's',  0xE9, 0x4E2D, 0x1F600, 0x1F601};
  const std::string text = "ab \xC3\xA9\xF0\x9F\x98\x81\n\xE4\xB8\xAD\xF0\x9F\x98\x80";
  expect_same(*make_char_tokenizer(characters), 11, text);
  const auto tokenizer =
      make_char_tokenizer(characters, {{"<s>", 11, true}, {"\xC3\xA9\xC3\xA9", 12, false}});
  tokenizer->set_special_tokens({.bos = 11});
  tokenizer->set_ends({.before = {11}, .after = {}});
  expect_same(*tokenizer, 15, text + "\xC3\xA9\xC3\xA9<s>");
  // Each character from its first byte on; what two have in common is there once.
  const auto merge = [](const std::string& left, const std::string& right) {
    return to_byte_characters(left) + " " + to_byte_characters(right);
  };
  EXPECT_EQ(GgufFile(path_).texts("tokenizer.ggml.merges"),
            (Texts{merge("\xC3", "\xA9"), merge("\xE4", "\xB8"), merge("\xE4\xB8", "\xAD"),
                   merge("\xF0", "\x9F"), merge("\xF0\x9F", "\x98"), merge("\xF0\x9F\x98", "\x80"),
                   merge("\xF0\x9F\x98", "\x81")}));
}

BpeVocabulary vocabulary(Regex regex, bool ignore_merges) {
  BpeVocabulary made =
      tiny_vocabulary({{"a", "b"}, {" ", "ab"}, {"ab", "c"}, {"\n", "\n"}}, {"<s>", "</s>"});
  made.regex = regex;
  made.ignore_merges = ignore_merges;
  return made;
}

// A token that no merge leads to.
BpeVocabulary with_unreached(Regex regex, bool ignore_merges) {
  BpeVocabulary made = vocabulary(regex, ignore_merges);
  made.tokens.push_back("abcd");
  return made;
}

TEST_F(GgufTokenizer, BpeComesBack) {
  for (const Regex regex : {Regex::gpt2, Regex::gpt4, Regex::llama3, Regex::smollm, Regex::qwen2}) {
    BpeTokenizer tokenizer(vocabulary(regex, false), {.before = {260}, .after = {}});
    tokenizer.set_special_tokens({.bos = 260, .eos = 261, .unk = 261});
    expect_same(tokenizer, 262, kText);
    expect_same(tokenizer, 270, kText);
  }
  expect_same(BpeTokenizer(with_unreached(Regex::gpt4, true)), 263, kText);
  expect_same(BpeTokenizer(with_unreached(Regex::gpt4, false)), 263, kText);
}

// llama.cpp turns ignore_merges on with the name of a regex.
TEST_F(GgufTokenizer, PreTokenizerByPatternAndMerges) {
  const auto pre = [&](BpeVocabulary made) {
    const BpeTokenizer tokenizer(std::move(made));
    return write(&tokenizer, 263).text("tokenizer.ggml.pre");
  };
  EXPECT_EQ(pre(vocabulary(Regex::gpt2, false)), "gpt-2");
  EXPECT_EQ(pre(vocabulary(Regex::gpt2, true)), "gpt-2");
  EXPECT_EQ(pre(vocabulary(Regex::smollm, false)), "smollm");
  EXPECT_EQ(pre(vocabulary(Regex::qwen2, false)), "qwen2");
  EXPECT_EQ(pre(vocabulary(Regex::gpt4, false)), "llama-bpe");
  EXPECT_EQ(pre(with_unreached(Regex::gpt4, true)), "llama-bpe");
  EXPECT_EQ(pre(with_unreached(Regex::llama3, false)), "smaug-bpe");
  BpeVocabulary lacking = vocabulary(Regex::gpt4, false);
  lacking.tokens[255] = "a\xFF";  // and none for the byte
  EXPECT_EQ(pre(lacking), "smaug-bpe");
  EXPECT_NE(error_of([&] { pre(with_unreached(Regex::gpt2, true)); }).find("ignore_merges"),
            std::string::npos);
  BpeVocabulary normal = vocabulary(Regex::qwen2, false);
  normal.nfc = true;
  EXPECT_NE(error_of([&] { pre(normal); }).find("the normalizer of the tokenizer"),
            std::string::npos);
  // Found as a whole piece, it would be a special token in plain text.
  BpeVocabulary word = vocabulary(Regex::gpt4, false);
  word.added.push_back({"word", 262, true});
  word.tokens.push_back("word");
  EXPECT_EQ(pre(std::move(word)), "smaug-bpe");
}

// llama.cpp takes token 11 for both where nothing is written.
TEST_F(GgufTokenizer, BosAndEosAreAlwaysSomething) {
  const auto ids = [](const GgufFile& file) {
    EXPECT_FALSE(file.flag("tokenizer.ggml.add_bos_token"));
    EXPECT_FALSE(file.has("tokenizer.ggml.padding_token_id"));
    return Ids{static_cast<int32_t>(file.integer("tokenizer.ggml.bos_token_id")),
               static_cast<int32_t>(file.integer("tokenizer.ggml.eos_token_id"))};
  };
  const auto bytes = make_byte_tokenizer({{"<s>", 256, true}});
  EXPECT_EQ(ids(write(bytes.get(), 257)), (Ids{255, 255}));  // a byte that no UTF-8 has
  EXPECT_EQ(ids(write(bytes.get(), 260)), (Ids{259, 259}));  // a row that is no token
  bytes->set_special_tokens({.eos = 256});
  EXPECT_EQ(ids(write(bytes.get(), 257)), (Ids{255, 256}));
  EXPECT_EQ(read_gguf_tokenizer(GgufFile(path_))->special_tokens(), (SpecialTokens{.eos = 256}));
  EXPECT_EQ(ids(write(make_char_tokenizer({'a', 'b'}).get(), 2)), (Ids{1, 1}));
  BpeVocabulary lacking = tiny_vocabulary({{"a", "b"}});
  lacking.tokens[255] = "abc";
  const BpeTokenizer tokenizer(lacking);
  EXPECT_EQ(ids(write(&tokenizer, 257)), (Ids{256, 256}));
}

TEST_F(GgufTokenizer, FillersAreUnique) {
  const auto tokenizer = make_byte_tokenizer({{"[PAD257]", 256, false}});
  const Texts tokens = write(tokenizer.get(), 259).texts("tokenizer.ggml.tokens");
  EXPECT_EQ(Texts(tokens.begin() + 256, tokens.end()),
            (Texts{"[PAD257]", "[[PAD257]]", "[PAD258]"}));
  expect_same(*tokenizer, 259, "[PAD257] [PAD258]");
}

TEST_F(GgufTokenizer, RefusesWhatTheFormatCannotSay) {
  const auto tokenizer = make_byte_tokenizer({{"<s>", 256, true}});
  EXPECT_NE(refusal(*tokenizer, 256).find("vocab_size"), std::string::npos);
  tokenizer->set_ends({.before = {256}, .after = {}});  // which is not bos
  EXPECT_NE(refusal(*tokenizer, 257).find("bos"), std::string::npos);
  tokenizer->set_special_tokens({.bos = 256});
  EXPECT_EQ(refusal(*tokenizer, 257), "");
  tokenizer->set_ends({.before = {256, 256}, .after = {}});
  EXPECT_NE(refusal(*tokenizer, 257).find("bos"), std::string::npos);
  EXPECT_NE(refusal(*make_char_tokenizer({'a'}, {{"a", 1, true}}), 2).find("'a'"),
            std::string::npos);
  EXPECT_NE(refusal(*make_word_tokenizer({"a"}), 300).find("got: words"), std::string::npos);
  // "aaa" could also be made of "a" and "aa".
  const SentencePieceTokenizer pieces(small_sentencepiece({"a"}, {{"a", "a"}, {"aa", "a"}}));
  EXPECT_NE(refusal(pieces, 300).find("the merges of the tokenizer"), std::string::npos);
  BpeVocabulary merged = tiny_vocabulary({{" ", "b"}});
  merged.added.push_back({" b", 256, true});
  EXPECT_NE(refusal(BpeTokenizer(merged), 257).find("no added token among the merges"),
            std::string::npos);
}

TEST_F(GgufTokenizer, NoTokenizer) {
  EXPECT_EQ(read_gguf_tokenizer(write(nullptr, 5)), nullptr);
  EXPECT_EQ(GgufFile(path_).text("tokenizer.ggml.model"), "no_vocab");
  EXPECT_EQ(read_gguf_tokenizer(write(GgufMetadata{})), nullptr);
  EXPECT_EQ(read_gguf_tokenizer(write({{"tokenizer.ggml.model", std::string("none")}})), nullptr);
}

TEST_F(GgufTokenizer, ReadingRefusesByName) {
  const BpeTokenizer tokenizer(vocabulary(Regex::gpt2, false));
  const auto error = [&](const std::string& key, const GgufValue& value) {
    GgufMetadata metadata;
    append_gguf_tokenizer(metadata, &tokenizer, 262, path_);
    for (auto& [name, old] : metadata) {
      if (name == "tokenizer.ggml." + key) old = value;
    }
    const GgufFile file = write(metadata);
    const std::string message = error_of([&] { read_gguf_tokenizer(file); });
    EXPECT_TRUE(message.starts_with(path_)) << message;
    return message;
  };
  EXPECT_NE(error("model", std::string("bert")).find("got: \"bert\""), std::string::npos);
  EXPECT_NE(error("model", std::string("bert")).find("--no-tokenizer"), std::string::npos);
  EXPECT_NE(error("model", std::string("llama")).find("scores"), std::string::npos);
  EXPECT_NE(error("pre", std::string("falcon")).find("\"falcon\""), std::string::npos);
  const auto texts = [](Texts all) { return GgufArray(std::move(all)); };
  EXPECT_NE(error("merges", texts({"a b", "ab"})).find("'ab'"), std::string::npos);
  EXPECT_NE(error("merges", texts({"a zz"})).find("'a zz'"), std::string::npos);
  EXPECT_NE(error("tokens", texts({"a", " "})).find("token_type"), std::string::npos);
  EXPECT_NE(error("token_type", GgufArray(std::vector<int32_t>(261, 1))).find("token_type"),
            std::string::npos);
  // A space is written as its stand-in.
  Texts tokens = GgufFile(path_).texts("tokenizer.ggml.tokens");
  tokens[32] = " ";
  EXPECT_NE(error("tokens", texts(tokens)).find("id 32"), std::string::npos);
}

// Tokens are ordered by their scores.
TEST_F(GgufTokenizer, ScoresAreNumbersOneForEachToken) {
  const SentencePieceTokenizer tokenizer(small_sentencepiece({"a", "b"}, {{"a", "b"}}));
  const auto error_with = [&](auto&& change) {
    GgufMetadata metadata;
    append_gguf_tokenizer(metadata, &tokenizer, tokenizer.vocab_size(), path_);
    for (auto& [key, value] : metadata) {
      if (!key.ends_with(".scores")) continue;
      change(std::get<std::vector<float>>(std::get<GgufArray>(value)));
    }
    return error_of([&] { read_gguf_tokenizer(write(metadata)); });
  };
  const std::string nan = error_with([](std::vector<float>& scores) { scores[262] = NAN; });
  EXPECT_TRUE(contains(nan, "a score is no number\n  got: NaN for id 262")) << nan;
  const std::string few = error_with([](std::vector<float>& scores) { scores.pop_back(); });
  EXPECT_TRUE(contains(few, "not a score for each token")) << few;
  const std::string more = error_with([](std::vector<float>& scores) { scores.push_back(0); });
  EXPECT_EQ(more, "");
}

// Added ones alone (3), or unused ones (5).
TEST_F(GgufTokenizer, NoTokensOfTextAreNoTokenizer) {
  for (const int32_t type : {3, 5}) {
    const GgufFile file = write({{"tokenizer.ggml.model", std::string("gpt2")},
                                 {"tokenizer.ggml.tokens", GgufArray(Texts{"<s>"})},
                                 {"tokenizer.ggml.token_type", GgufArray(std::vector{type})},
                                 {"tokenizer.ggml.merges", GgufArray(Texts{})}});
    const std::string message = error_of([&] { read_gguf_tokenizer(file); });
    EXPECT_TRUE(contains(message, "no byte has a token")) << type << ": " << message;
  }
}

// 256 tokens are bytes where each has its own value, others characters where each is one and they
// are in order. All else is a BPE without merges.
TEST_F(GgufTokenizer, WhatTokensWithoutMergesAre) {
  const auto kind_of = [&](const Texts& tokens, const std::vector<int32_t>& types) {
    return read_gguf_tokenizer(write({{"tokenizer.ggml.model", std::string("gpt2")},
                                      {"tokenizer.ggml.tokens", GgufArray(tokens)},
                                      {"tokenizer.ggml.token_type", GgufArray(types)},
                                      {"tokenizer.ggml.merges", GgufArray(Texts{})}}))
        ->kind();
  };
  const auto kind = [&](const Texts& tokens) {
    return kind_of(tokens, std::vector<int32_t>(tokens.size(), 1));
  };
  const Texts bytes(byte_characters().begin(), byte_characters().end());
  EXPECT_EQ(kind(bytes), "bytes");
  Texts other = bytes;
  std::swap(other['a'], other['b']);
  EXPECT_EQ(kind(other), "bpe") << "not in order";
  other = bytes;
  other.insert(other.begin() + 'a', "<s>");
  std::vector<int32_t> types(257, 1);
  types['a'] = 3;
  EXPECT_EQ(kind_of(other, types), "bpe") << "an added one among them";
  EXPECT_EQ(kind({"a", "b"}), "chars");
  EXPECT_EQ(kind({"b", "a"}), "bpe") << "not in order";
  EXPECT_EQ(kind({"a", "ab"}), "bpe") << "two characters";
  EXPECT_EQ(kind({"a", to_byte_characters("\xC3")}), "bpe") << "a part of a character";
  EXPECT_EQ(kind({"a", to_byte_characters("\xC3\xA9")}), "chars");
  const std::string message = error_of([&] { kind({"a", ""}); });
  EXPECT_TRUE(message.starts_with(path_ + ": tokenizer.ggml.tokens: empty token")) << message;
}

TEST_F(GgufTokenizer, BosIsAddedAsThePreTokenizerHasIt) {
  const auto tokenizer = make_byte_tokenizer({{"<s>", 256, true}});
  tokenizer->set_special_tokens({.bos = 256});
  const auto before = [&](const std::string& pre) {
    GgufMetadata metadata;
    append_gguf_tokenizer(metadata, tokenizer.get(), 257, path_);
    std::erase_if(metadata, [](const auto& e) { return e.first.ends_with(".add_bos_token"); });
    for (auto& [key, value] : metadata) {
      if (key.ends_with(".pre")) value = pre;
    }
    return read_gguf_tokenizer(write(metadata))->ends().before;
  };
  EXPECT_EQ(before("gpt-2"), Ids{});
  EXPECT_EQ(before("llama-bpe"), Ids{256});
}

// Files that others make: no types, no `pre`, roles out of range.
TEST_F(GgufTokenizer, ReadsWhatOthersLeaveOut) {
  const BpeTokenizer tokenizer(tiny_vocabulary({{"a", "b"}}));
  GgufMetadata metadata;
  append_gguf_tokenizer(metadata, &tokenizer, 257, path_);
  std::erase_if(metadata, [](const auto& entry) {
    return entry.first.ends_with(".pre") || entry.first.ends_with(".token_type") ||
           entry.first.ends_with(".add_bos_token") || entry.first.ends_with("eos_token_id");
  });
  metadata.emplace_back("tokenizer.ggml.eos_token_id", uint32_t{4000000000u});
  const std::unique_ptr<Tokenizer> read = read_gguf_tokenizer(write(metadata));
  EXPECT_EQ(read->vocab_size(), 257);
  EXPECT_EQ(read->encode_prompt("abc", "test"), (Ids{256, 'c'}));
  EXPECT_EQ(read->special_tokens(), SpecialTokens{});
}

}  // namespace
}  // namespace cria
