#include "tokenizer_files/tokenizer_json.h"
#include "cria/tokenizer_files/tokenizer_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/mutations.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/base/json.h"
#include "support/errors.h"
#include "support/files.h"
#include "text/bpe_tokenizer.h"
#include "text/tiny_vocabulary.h"

namespace cria {
namespace {

class TokenizerJson : public testing::Test {
 protected:
  // write_file would wait for the disk.
  std::unique_ptr<Tokenizer> read(const std::string& text) const {
    std::ofstream(path_, std::ios::binary) << text;
    return read_tokenizer(path_);
  }

  // The message for text, which must name the file.
  std::string error_of(const std::string& text) const {
    try {
      read(text);
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_TRUE(message.starts_with(path_)) << message;
      return message;
    }
    return "no error";
  }

  // What tokenizer_json wrote but for one value: keys are "model", "vocab", ...
  static std::string changed(const Tokenizer& tokenizer, std::vector<std::string> keys,
                             const Json& value) {
    Json whole = value;
    for (; !keys.empty(); keys.pop_back()) {
      Json parent = Json::parse(tokenizer_json(tokenizer), "tokenizer.json");
      for (size_t i = 0; i + 1 < keys.size(); ++i) parent = Json(*parent.find(keys[i]));
      parent.set(keys.back(), whole);
      whole = parent;
    }
    return whole.dump();
  }

  std::string error_with(const std::vector<std::string>& keys, const Json& value) const {
    return error_of(changed(*chars_, keys, value));
  }

  std::string error_of_vocabulary(const std::string& vocabulary) const {
    return error_with({"model", "vocab"}, Json::parse(vocabulary, "vocab"));
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_ / "tokenizer.json";
  std::unique_ptr<Tokenizer> bytes_ = make_byte_tokenizer();
  std::unique_ptr<Tokenizer> chars_ = make_char_tokenizer({0, '\n', '"', 'a', 0xE9, 0x1F600});
};

TEST_F(TokenizerJson, BytesKeyTheirStandIns) {
  const Json json = Json::parse(tokenizer_json(*bytes_), "tokenizer.json");
  const Json& vocabulary = *json.find("model")->find("vocab");
  EXPECT_EQ(vocabulary.as_object("").size(), 256u);
  const std::vector<std::pair<std::string, int>> known = {
      {"Ā", 0x00}, {"ĉ", 0x09}, {"Ċ", 0x0A}, {"Ġ", 0x20}, {"!", 0x21}, {"~", 0x7E},
      {"ġ", 0x7F}, {"Ģ", 0x80}, {"ł", 0xA0}, {"¡", 0xA1}, {"Ń", 0xAD}, {"ÿ", 0xFF}};
  for (const auto& [character, byte] : known) {
    ASSERT_NE(vocabulary.find(character), nullptr) << character;
    EXPECT_EQ(*vocabulary.find(character), Json(byte));
  }
  EXPECT_EQ(json.find("pre_tokenizer")->dump(),
            R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false,)"
            R"("use_regex":false})");
  EXPECT_EQ(json.find("decoder")->dump(), json.find("pre_tokenizer")->dump());
}

TEST_F(TokenizerJson, CharsAreKeptWhole) {
  EXPECT_EQ(Json::parse(tokenizer_json(*make_char_tokenizer({'\n', '"', 0xE9})), "t").dump(),
            R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[],)"
            R"("normalizer":null,"pre_tokenizer":null,"post_processor":null,)"
            R"("decoder":{"type":"Fuse"},"model":{"type":"BPE","dropout":null,"unk_token":null,)"
            R"("continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":false,)"
            R"("byte_fallback":false,"ignore_merges":false,)"
            R"("vocab":{"\n":0,"\"":1,"é":2},"merges":[]}})");
}

TEST_F(TokenizerJson, ReadsWhatItWrote) {
  for (const Tokenizer* tokenizer : {bytes_.get(), chars_.get()}) {
    const auto back = read(tokenizer_json(*tokenizer));
    EXPECT_EQ(back->kind(), tokenizer->kind());
    ASSERT_EQ(back->vocab_size(), tokenizer->vocab_size());
    for (int32_t id = 0; id < back->vocab_size(); ++id) {
      EXPECT_EQ(back->token(id), tokenizer->token(id));
    }
  }
}

TEST_F(TokenizerJson, OrderOfKeysDoesNotMatter) {
  const auto back = read(changed(*chars_, {"model", "vocab"}, Json::parse(R"({"b":1,"a":0})", "")));
  EXPECT_EQ(back->token(0), "a");
  EXPECT_EQ(back->token(1), "b");
}

TEST_F(TokenizerJson, NamesWhatIsNotSupported) {
  const Json lowercase = Json::Object{{"type", "Lowercase"}};
  EXPECT_TRUE(contains(error_with({"normalizer"}, lowercase), "'normalizer' is not supported"));
  EXPECT_TRUE(contains(error_with({"pre_tokenizer"}, lowercase), "'pre_tokenizer'"));
  EXPECT_TRUE(contains(error_with({"post_processor"}, lowercase), "'post_processor.type'"));
  EXPECT_EQ(error_with({"truncation"}, lowercase), "no error");
  const Json nothing = Json::Object{{"type", "Sequence"}, {"normalizers", Json::Array{}}};
  EXPECT_EQ(error_with({"normalizer"}, nothing), "no error");
  EXPECT_TRUE(contains(error_with({"version"}, "2.0"), "'version'"));
  EXPECT_TRUE(
      contains(error_with({"added_tokens"}, Json::Array{lowercase}), "key 'added_tokens[0].type'"));
  EXPECT_TRUE(contains(error_with({"decoder"}, nullptr), "'decoder' is not supported"));
  EXPECT_TRUE(contains(error_with({"decoder", "type"}, "ByteLevel"), "is not supported"));
  EXPECT_TRUE(contains(error_with({"model", "type"}, "WordPiece"), "got: \"WordPiece\""));
  EXPECT_TRUE(contains(error_with({"model", "merges"}, Json::Array{"a b"}), "'model.merges'"));
  EXPECT_TRUE(contains(error_with({"model", "byte_fallback"}, true), "'normalizer'"));
  EXPECT_TRUE(contains(error_with({"model", "unk_token"}, "<unk>"), "got: \"<unk>\""));
  EXPECT_TRUE(contains(error_with({"model", "scores"}, 1), "key 'model.scores'"));
  const Json bare = Json::Object{{"type", "BPE"}};
  EXPECT_TRUE(contains(error_with({"model"}, bare), "missing key 'model.dropout'"));
  EXPECT_TRUE(contains(error_of("{}"), "'version' is not supported"));
  EXPECT_TRUE(contains(error_of("[]"), "wrong kind of JSON value"));
  EXPECT_TRUE(contains(error_of(""), "not a tokenizer"));
}

TEST_F(TokenizerJson, NamesWhatIsWrongWithTheVocabulary) {
  EXPECT_TRUE(contains(error_of_vocabulary("[]"), "'model.vocab' is not supported"));
  EXPECT_TRUE(contains(error_of_vocabulary("{}"), "the vocabulary is empty"));
  EXPECT_TRUE(contains(error_of_vocabulary(R"({"a":0,"b":2})"), "ids with holes: token 'b'"));
  EXPECT_TRUE(contains(error_of_vocabulary(R"({"a":-1})"), "ids with holes: token 'a'"));
  EXPECT_TRUE(contains(error_of_vocabulary(R"({"a":0,"b":0})"), "two tokens have the id 0"));
  EXPECT_TRUE(contains(error_of_vocabulary(R"({"a":0.0})"), "the id of token 'a'"));
  EXPECT_TRUE(contains(error_of_vocabulary(R"({"":0})"), "empty token"));
  EXPECT_TRUE(contains(error_of_vocabulary(R"({"ab":0})"), "got: 'ab'"));
  EXPECT_TRUE(contains(error_of_vocabulary(R"({"b":0,"a":1})"), "not in the order of code points"));
}

TEST_F(TokenizerJson, ByteVocabularyMustBeTheBytesInOrder) {
  const std::string whole = tokenizer_json(*bytes_);
  Json vocabulary = *Json::parse(whole, "").find("model")->find("vocab");
  vocabulary.set("a", 98);
  vocabulary.set("b", 97);
  EXPECT_TRUE(contains(error_of(changed(*bytes_, {"model", "vocab"}, vocabulary)),
                       "id 97 is not the byte of that value"));
  const Json short_vocabulary = Json::Object{{"Ā", 0}, {"ā", 1}};
  EXPECT_TRUE(contains(error_of(changed(*bytes_, {"model", "vocab"}, short_vocabulary)),
                       "expected: 256 tokens"));
}

TEST_F(TokenizerJson, ReadsTheBpeItWrote) {
  const BpeTokenizer tokenizer(tiny_vocabulary({{"a", "b"}, {"ab", "c"}}, {"<s>"}));
  const std::string text = tokenizer_json(tokenizer);
  const auto back = read(text);
  EXPECT_EQ(back->kind(), "bpe");
  EXPECT_EQ(tokenizer_json(*back), text);
  EXPECT_EQ(tokenizer_hash(*back), tokenizer_hash(tokenizer));
  EXPECT_NE(tokenizer_hash(*back), tokenizer_hash(*bytes_));
}

TEST_F(TokenizerJson, SpecialTokensOfBytesAndChars) {
  const auto bytes = make_byte_tokenizer({{"<s>", 256, true}, {"é!", 257, false}});
  bytes->set_ends({.before = {256}, .after = {'x'}});
  const auto chars = make_char_tokenizer({'a', 'b'}, {{"<s>", 2, true}, {"ba", 3, false}});
  chars->set_ends({.before = {2}, .after = {1}});
  for (const Tokenizer* tokenizer : {bytes.get(), chars.get()}) {
    const std::string text = tokenizer_json(*tokenizer);
    const auto back = read(text);
    EXPECT_EQ(tokenizer_json(*back), text);
    EXPECT_EQ(back->kind(), tokenizer->kind());
    EXPECT_EQ(back->added_tokens(), tokenizer->added_tokens());
    EXPECT_EQ(back->ends(), tokenizer->ends());
  }
  // The vocabulary is the tokenizer's own tokens; Hugging Face counts on from there.
  const Json json = Json::parse(tokenizer_json(*chars), "");
  EXPECT_EQ(json.find("model")->find("vocab")->dump(), R"({"a":0,"b":1})");
  const auto error = [&](const std::string& added) {
    return error_of(changed(*chars, {"added_tokens"}, Json::parse(added, "")));
  };
  EXPECT_TRUE(contains(error(R"([{"id":3,"content":"<s>"},{"id":2,"content":"ba"}])"),
                       "added token '<s>' has another id"));
  EXPECT_TRUE(contains(error(R"([{"id":0,"content":"a"}])"), "'a' is in the vocabulary"));
  EXPECT_TRUE(contains(error(R"([{"id":2,"content":""}])"), "empty added token"));
}

// Datasets name the tokenizer they were made with by this.
TEST_F(TokenizerJson, HashesStayWhatTheyAre) {
  EXPECT_EQ(tokenizer_hash(*bytes_), "fnv1a:2d15e81e65bf1861");
  EXPECT_EQ(tokenizer_hash(*make_char_tokenizer({'\n', '"', 'a', 0xE9, 0x1F600})),
            "fnv1a:aaf92888c2dbc405");
  BpeVocabulary vocabulary = tiny_vocabulary({{"a", "b"}, {"ab", "c"}});
  EXPECT_EQ(tokenizer_hash(BpeTokenizer(vocabulary)), "fnv1a:6b07686cbbaf1832");
  vocabulary.regex = Regex::gpt4;
  EXPECT_EQ(tokenizer_hash(BpeTokenizer(vocabulary)), "fnv1a:110836bd10f93cd3");
}

TEST_F(TokenizerJson, DamagedFileIsReadOrRefused) {
  // One with much white space, where damage is harmless.
  const Json chars = Json::parse(tokenizer_json(*chars_), "");
  const std::vector<std::string> seeds = {chars.dump(), chars.dump(8), tokenizer_json(*bytes_)};
  Rng rng(1, "tokenizer_json");
  int readable = 0;
  constexpr int kRounds = 1000;
  for (int i = 0; i < kRounds; ++i) {
    const std::string text = mutated(seeds, rng);
    try {
      const auto tokenizer = read(text);
      ++readable;
      ASSERT_EQ(tokenizer_json(*read(tokenizer_json(*tokenizer))), tokenizer_json(*tokenizer));
    } catch (const Error& error) {
      ASSERT_TRUE(std::string(error.what()).starts_with(path_)) << error.what();
    }
  }
  // Both outcomes must occur.
  EXPECT_GT(readable, 20);
  EXPECT_LT(readable, kRounds / 2);
}

}  // namespace
}  // namespace cria
