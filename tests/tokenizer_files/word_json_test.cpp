#include "tokenizer_files/word_json.h"

#include <gtest/gtest.h>

#include "support/errors.h"
#include "text/word_tokenizer.h"
#include "tokenizer_files/tokenizer_json.h"

namespace cria {
namespace {

TEST(WordJson, ReadsWhatItWrote) {
  auto tokenizer = make_word_tokenizer({"love", "I"}, {{"</s>", 3, true}});
  tokenizer->set_ends({.before = {}, .after = {3}});
  const std::string text = tokenizer_json(*tokenizer);
  const auto read = [](const Json& json) { return tokenizer_from_json(json, "t.json"); };
  const Json json = Json::parse(text, "t.json");
  const auto back = read(json);
  EXPECT_EQ(tokenizer_json(*back), text);
  std::vector<int32_t> ids;
  back->encode("I love I </s>x", ids, "text", 0, true);
  EXPECT_EQ(ids, (std::vector<int32_t>{2, 1, 2, 3, 0}));
  EXPECT_EQ(find_token(*back, "love"), 1);
  EXPECT_EQ(find_token(*back, "<unk>"), 0);
  EXPECT_EQ(token_name(*back, 2), "I");
  EXPECT_EQ(token_name(*back, 3), "</s>");
  const auto refused = [&](const char* key, const Json& value) {
    Json other = json;
    other.set(key, value);
    return error_of([&] { read(other); });
  };
  EXPECT_NE(refused("pre_tokenizer", Json::Object{{"type", "Whitespace"}}).find("'pre_tokenizer'"),
            std::string::npos);
  EXPECT_NE(refused("decoder", Json::Object{{"type", "Fuse"}}).find("'decoder'"),
            std::string::npos);
  EXPECT_NE(refused("model",
                    Json::parse(R"({"type":"WordLevel","vocab":{"a":0},"unk_token":"<unk>"})", ""))
                .find("id 0 is another word"),
            std::string::npos);
  EXPECT_NE(
      refused("model", Json::parse(R"({"type":"WordLevel","vocab":{},"unk_token":"<unk>"})", ""))
          .find("got: none"),
      std::string::npos);
  EXPECT_NE(refused("normalizer", Json::Object{{"type", "NFC"}}).find("'normalizer'"),
            std::string::npos);
}

}  // namespace
}  // namespace cria
