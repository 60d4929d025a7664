#include "tokenizer_files/bpe_json.h"

#include <gtest/gtest.h>

#include "base/mutations.h"
#include "support/changed_json.h"
#include "support/encoded.h"
#include "support/errors.h"
#include "text/tiny_vocabulary.h"
#include "tokenizer_files/byte_characters.h"

namespace cria {
namespace {

using Ids = std::vector<int32_t>;

BpeVocabulary sample() {
  return tiny_vocabulary({{"a", "b"}, {" ", "ab"}, {"ab", "c"}, {"\n", "\n"}}, {"<s>", "</s>"});
}

Json json_of(const BpeTokenizer& tokenizer) {
  return bpe_json(*tokenizer.bpe_vocabulary(), tokenizer.ends());
}

Json sample_json() {
  return bpe_json(sample(), {});
}

Json parse(const std::string& text) {
  return Json::parse(text, "test");
}

std::string error_with(const std::vector<std::string>& keys, const std::string& value) {
  return error_of([&] { bpe_from_json(with(sample_json(), keys, parse(value)), "t.json"); });
}

void expect_error(const std::vector<std::string>& keys, const std::string& value,
                  const std::string& part) {
  const std::string message = error_with(keys, value);
  EXPECT_TRUE(message.starts_with("t.json: ") && message.find(part) != message.npos)
      << message << "\nwanted " << part;
}

TEST(BpeJson, ReadsWhatItWrote) {
  for (const Regex regex : {Regex::gpt2, Regex::gpt4, Regex::llama3, Regex::smollm, Regex::qwen2}) {
    BpeVocabulary vocabulary = sample();
    vocabulary.nfc = regex == Regex::qwen2;
    vocabulary.regex = regex;
    vocabulary.ignore_merges = regex == Regex::llama3;
    vocabulary.added[1].special = false;
    const BpeTokenizer tokenizer(vocabulary, {.before = {260, 'x'}, .after = {261}});
    const Json json = json_of(tokenizer);
    const auto back = bpe_from_json(json, "t.json");
    EXPECT_EQ(json_of(*back), json);
    EXPECT_EQ(back->kind(), "bpe");
    EXPECT_EQ(back->vocab_size(), 262);
    const BpeVocabulary& read = *back->bpe_vocabulary();
    EXPECT_EQ(read.tokens, vocabulary.tokens);
    // gpt4 and llama3 cut alike.
    EXPECT_EQ(read.regex, regex == Regex::llama3 ? Regex::gpt4 : regex);
    EXPECT_EQ(read.ignore_merges, vocabulary.ignore_merges);
    EXPECT_EQ(read.nfc, vocabulary.nfc);
    EXPECT_EQ(read.merges[2].result, 258);
    EXPECT_EQ(read.added[0].special, true);
    EXPECT_EQ(read.added[1].special, false);
    EXPECT_EQ(back->ends().before, (Ids{260, 'x'}));
    EXPECT_EQ(back->ends().after, (Ids{261}));
    EXPECT_EQ(encoded(*back, "x abc<s>", true), encoded(tokenizer, "x abc<s>", true));
  }
}

TEST(BpeJson, TokenizerTakesSpecialTokensForText) {
  const BpeTokenizer tokenizer(sample(), {.before = {260}, .after = {}});
  Ids ids;
  tokenizer.encode("<s>ab", ids, "text");
  EXPECT_EQ(ids, (Ids{'<', 's', '>', 256}));
  EXPECT_EQ(tokenizer.decode({260, 257}), "<s> ab");
  EXPECT_NE(error_of([] { BpeTokenizer(sample(), {.before = {}, .after = {262}}); }), "");
}

// Added tokens at the end stand in added_tokens only; others must also be in the vocabulary.
TEST(BpeJson, AddedTokensKeepTheirIds) {
  EXPECT_EQ(sample_json().find("model")->find("vocab")->as_object("").size(), 260u);
  BpeVocabulary vocabulary = tiny_vocabulary({}, {"<first>", "<last>"});
  vocabulary.tokens.insert(vocabulary.tokens.begin() + 257, "ab");
  vocabulary.merges.push_back({'a', 'b', 257});
  vocabulary.added[1].id = 258;
  const Json json = bpe_json(vocabulary, {});
  const Json& vocab = *json.find("model")->find("vocab");
  EXPECT_EQ(vocab.as_object("").size(), 258u);
  EXPECT_EQ(*vocab.find("<first>"), Json(256));
  EXPECT_EQ(encoded(*bpe_from_json(json, "t.json"), "<first>ab<last>", true), (Ids{256, 257, 258}));
}

// An added token that is the only one for its byte is a token of plain text too, also behind all
// others.
TEST(BpeJson, AnAddedTokenMayBeTheOnlyOneForItsByte) {
  BpeVocabulary vocabulary = tiny_vocabulary({});
  std::rotate(vocabulary.tokens.begin() + 'x', vocabulary.tokens.begin() + 'x' + 1,
              vocabulary.tokens.end());
  vocabulary.added.push_back({"x", 255, true});
  const Json json = bpe_json(vocabulary, {});
  const Json* const x = json.find("model")->find("vocab")->find("x");
  ASSERT_NE(x, nullptr);
  EXPECT_EQ(*x, Json(255));
  EXPECT_EQ(bpe_from_json(json, "t.json")->encode_prompt("wxy", "test"), (Ids{'w', 255, 'x'}));
}

TEST(BpeJson, AddedTokensThatCannotBeWritten) {
  // "Ġ" is how the file writes a space.
  const std::string message = error_of([] { bpe_json(tiny_vocabulary({}, {"Ġ"}), {}); });
  EXPECT_NE(message.find("cannot express the added token 'Ġ'"), std::string::npos) << message;
  BpeVocabulary merged = tiny_vocabulary({{" ", "b"}});
  merged.added.push_back({" b", 256, true});
  EXPECT_TRUE(contains(error_of([&] { bpe_json(merged, {}); }), "express the added token ' b'"));
  // A line feed of its own is another name than the stand-in for the byte.
  const Json json = bpe_json(tiny_vocabulary({}, {"\n"}), {});
  EXPECT_EQ(encoded(*bpe_from_json(json, "t.json"), "a\n", true), (Ids{'a', 256}));
}

TEST(BpeJson, ReadsOtherWaysToSayTheSame) {
  const Json json = sample_json();
  const auto expect_same = [&](const std::vector<std::string>& keys, const std::string& value) {
    EXPECT_EQ(json_of(*bpe_from_json(with(json, keys, parse(value)), "t.json")), json) << value;
  };
  expect_same({"model", "merges"}, R"(["#version: 0.2","a b","Ġ ab","ab c","Ċ Ċ"])");
  expect_same({"model", "merges"}, R"([["a","b"],["Ġ","ab"],["ab","c"],["Ċ","Ċ"]])");
  expect_same({"model", "continuing_subword_prefix"}, R"("")");
  expect_same({"model"}, without(*json.find("model"), "type").dump());
  expect_same({"model", "unk_token"}, R"("<s>")");
  expect_same({"normalizer"}, R"({"type":"Sequence","normalizers":[]})");
  expect_same({"truncation"}, R"({"max_length":512})");
  expect_same({"padding"}, R"({"strategy":"BatchLongest"})");
  expect_same({"pre_tokenizer"}, R"({"type":"ByteLevel","add_prefix_space":false})");
  expect_same({"pre_tokenizer"},
              R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":)"
              R"("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+)"
              R"(|\\s+(?!\\S)|\\s+"},"behavior":"Removed","invert":true},)"
              R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]})");
  expect_same({"post_processor"}, R"({"type":"ByteLevel","trim_offsets":true})");
  expect_same({"post_processor"}, R"({"type":"Sequence","processors":[{"type":"ByteLevel"}]})");
  expect_same({"added_tokens"}, R"([{"id":260,"content":"<s>","normalized":true,"special":true},)"
                                R"({"id":261,"content":"</s>","normalized":true,"special":true}])");
}

TEST(BpeJson, NamesWhatIsNotSupported) {
  expect_error({"version"}, R"("2.0")", "'version'");
  expect_error({"normalizer"}, R"({"type":"NFKC"})", "'normalizer.type' is not supported");
  EXPECT_NE(error_of([&] {
              const Json nfc = with(sample_json(), {"normalizer"}, parse(R"({"type":"NFC"})"));
              const char* const token = R"([{"id":260,"content":"<s>","normalized":true}])";
              bpe_from_json(with(nfc, {"added_tokens"}, parse(token)), "t.json");
            }).find("added token '<s>' is not supported with NFC"),
            std::string::npos);
  expect_error({"extra"}, "1", "key 'extra'");
  expect_error({"decoder"}, "null", "'decoder.type'");
  expect_error({"pre_tokenizer"}, "null", "'pre_tokenizer.type'");
  expect_error({"pre_tokenizer"}, R"({"type":"Metaspace"})", "got: \"Metaspace\"");
  expect_error({"pre_tokenizer"}, R"({"type":"Sequence","pretokenizers":[]})", "got: 0 parts");
  expect_error({"pre_tokenizer", "use_regex"}, "false", "'pre_tokenizer.use_regex'");
  expect_error({"pre_tokenizer", "add_prefix_space"}, "true", "'pre_tokenizer.add_prefix_space'");
  const std::string split = R"({"type":"Sequence","pretokenizers":[{"type":"Split",)";
  const std::string end = R"(},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]})";
  expect_error({"pre_tokenizer"}, split + R"("behavior":"Isolated","pattern":{"Regex":"a+"})" + end,
               R"('pre_tokenizer.pretokenizers[0].pattern')");
  expect_error({"pre_tokenizer"}, split + R"("behavior":"Removed","pattern":{"Regex":"a+"})" + end,
               "got: \"Removed\"");
  expect_error({"model", "type"}, R"("Unigram")", "got: \"Unigram\"");
  expect_error({"model", "dropout"}, "0.1", "'model.dropout'");
  expect_error({"model", "end_of_word_suffix"}, R"("</w>")", "'model.end_of_word_suffix'");
  expect_error({"model", "scores"}, "1", "key 'model.scores'");
  expect_error({"post_processor"}, R"({"type":"RobertaProcessing"})", "'post_processor.type'");
  for (const std::string key : {"lstrip", "rstrip", "single_word"}) {
    expect_error({"added_tokens"}, R"([{"id":260,"content":"<s>",")" + key + R"(":true}])",
                 "'added_tokens[0]." + key + "'");
  }
  expect_error({"added_tokens"},
               R"([{"id":260,"content":"<s>","normalized":true},{"id":261,"content":">a"}])",
               "got: '<s>' and '>a'");
}

// One of them is looked for after the other has been taken out of the text.
TEST(BpeJson, NormalizedAddedTokensOverlapNoOthers) {
  const auto error = [](const std::string& other) {
    return error_with({"added_tokens"}, R"([{"id":260,"content":"<s>","normalized":true},)"
                                        R"({"id":261,"content":")" +
                                            other + R"("}])");
  };
  for (const char* const other : {">a", "a<", "a<s>b", "s>", "s>a", "a<s"}) {
    EXPECT_NE(error(other).find("added tokens that can overlap"), std::string::npos) << other;
  }
  for (const char* const other : {"xy", "a>b", "b<a"}) EXPECT_EQ(error(other), "") << other;
}

TEST(BpeJson, NamesWhatIsWrong) {
  expect_error({"model", "vocab"}, "[]", "model.vocab");
  expect_error({"model", "vocab"}, R"({"a":0,"b":2})", "ids with holes: token 'b'");
  expect_error({"model", "vocab"}, "{}", "'model.merges[0]'");
  expect_error({"model", "vocab", "Ā"}, "1", "two tokens have the id 1");
  expect_error({"model", "vocab", "€"}, "260", "added token '<s>' has another id");
  expect_error({"model", "merges"}, R"([["a","b"],["a","c"]])", "got: 'ac'");
  expect_error({"model", "merges"}, R"(["a b c"])", "'model.merges[0]' is not a merge");
  expect_error({"model", "merges"}, R"(["ab"])", "'model.merges[0]' is not a merge");
  expect_error({"model", "merges"}, R"([["a"]])", "'model.merges[0]' is not a merge");
  expect_error({"model", "merges"}, R"([1])", "model.merges[0]");
  expect_error({"model", "merges"}, R"(["a b","a b"])", "two merges of 'a' and 'b'");
  expect_error({"added_tokens"}, R"([{"id":261,"content":"<s>"}])", "expected: 260");
  expect_error({"added_tokens"}, R"([{"id":260}])", "added_tokens[0].content");
  expect_error({"added_tokens"}, R"([{"id":260,"content":""}])", "empty added token");
  Json json = with(sample_json(), {"model", "vocab", "€"}, 260);
  json.set("added_tokens", Json::Array{});
  EXPECT_NE(error_of([&] { bpe_from_json(json, "t.json"); }).find("token '€' is neither added"),
            std::string::npos);
}

TEST(BpeJson, NamesWhatIsWrongWithATemplate) {
  const auto expect = [](const std::string& single, const std::string& part) {
    expect_error({"post_processor"},
                 R"({"type":"TemplateProcessing","single":)" + single +
                     R"(,"pair":[],"special_tokens":{"x":{"id":"x","ids":[262],"tokens":["x"]}}})",
                 part);
  };
  const std::string text = R"({"Sequence":{"id":"A","type_id":0}})";
  expect("[]", "leaves out the text");
  const std::string before =
      R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}},)" + text +
      R"(],"special_tokens":{"x":{"ids":[260]}}})";
  const std::string twice = before + "," + before;
  expect_error({"post_processor"}, R"({"type":"Sequence","processors":[)" + twice + "]}",
               "'post_processor.processors[1]' is not supported");
  const std::string after =
      R"({"type":"TemplateProcessing","single":[)" + text +
      R"(,{"SpecialToken":{"id":"x"}}],"special_tokens":{"x":{"ids":[260]}}})";
  expect_error({"post_processor"},
               R"({"type":"Sequence","processors":[)" + after + "," + after + "]}",
               "'post_processor.processors[1]' is not supported");
  expect("[" + text + "," + text + "]", "has the text twice");
  expect(R"([{"Sequence":{"id":"B","type_id":0}}])", "got: \"B\"");
  expect(R"([{"SpecialToken":{"id":"x","type_id":0}},)" + text + "]", "got: 262");
  expect(R"([{"SpecialToken":{"id":"y","type_id":0}},)" + text + "]", "'y'");
  expect(R"([{"Other":1}])", "SpecialToken.id");
}

TEST(BpeJson, DamagedFileIsReadOrRefused) {
  const BpeTokenizer tokenizer(sample(), {.before = {260}, .after = {}});
  const std::vector<std::string> seeds = {json_of(tokenizer).dump(), json_of(tokenizer).dump(8)};
  Rng rng(1, "bpe_json");
  int readable = 0;
  constexpr int kRounds = 3000;
  for (int i = 0; i < kRounds; ++i) {
    const std::string text = mutated(seeds, rng);
    const std::string message = error_of([&] {
      const auto read = bpe_from_json(Json::parse(text, "t.json"), "t.json");
      const Json json = json_of(*read);
      ASSERT_EQ(json_of(*bpe_from_json(json, "t.json")), json);
    });
    if (message.empty()) ++readable;
    const bool named = message.starts_with("t.json:") || message.starts_with("tokenizer.json");
    ASSERT_TRUE(message.empty() || named) << message;
  }
  // Both outcomes must occur.
  EXPECT_GT(readable, 20);
  EXPECT_LT(readable, kRounds * 3 / 4);
}

}  // namespace
}  // namespace cria
