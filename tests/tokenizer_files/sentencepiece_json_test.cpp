#include "tokenizer_files/sentencepiece_json.h"

#include <gtest/gtest.h>

#include "base/mutations.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "support/changed_json.h"
#include "support/errors.h"
#include "text/small_sentencepiece.h"
#include "tokenizer_files/tokenizer_json.h"

namespace cria {
namespace {

SentencePieceVocabulary piece_sample(FrontSpace front = FrontSpace::each_part) {
  SentencePieceVocabulary vocabulary =
      small_sentencepiece({"a", "b"}, {{"\u2581", "a"}, {"a", "b"}, {"\u2581a", "b"}});
  vocabulary.front = front;
  return vocabulary;
}

Json piece_sample_json(FrontSpace front = FrontSpace::each_part) {
  return sentencepiece_json(piece_sample(front), {.before = {1}, .after = {}});
}

Json json_of_pieces(const Tokenizer& tokenizer) {
  return sentencepiece_json(*tokenizer.sentencepiece_vocabulary(), tokenizer.ends());
}

Json parse_piece(const std::string& text) {
  return Json::parse(text, "test");
}

std::vector<int32_t> encode_pieces(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<int32_t> ids;
  tokenizer.encode(text, ids, "test", 0, true);
  return ids;
}

TEST(SentencePieceJson, ReadsWhatItWrote) {
  for (const FrontSpace front : {FrontSpace::each_part, FrontSpace::spaceless,
                                 FrontSpace::at_beginning, FrontSpace::never}) {
    const Json json = piece_sample_json(front);
    const auto back = tokenizer_from_json(json, "t.json");
    EXPECT_EQ(back->kind(), "sentencepiece");
    EXPECT_EQ(parse_piece(tokenizer_json(*back)), json);
    EXPECT_EQ(back->ends().before, std::vector<int32_t>{1});
    const auto& read = *back->sentencepiece_vocabulary();
    EXPECT_EQ(read.names, piece_sample().names);
    EXPECT_EQ(read.added, piece_sample().added);
    EXPECT_EQ(read.front, front);
    EXPECT_EQ(encode_pieces(*back, "ab</s>a"),
              encode_pieces(SentencePieceTokenizer(piece_sample(front)), "ab</s>a"));
  }
}

TEST(SentencePieceJson, ReadsOtherWaysToSayTheSame) {
  const Json json = piece_sample_json();
  const auto expect_same = [&](const std::vector<std::string>& keys, const std::string& value) {
    const auto back = sentencepiece_from_json(with(json, keys, parse_piece(value)), "t.json");
    EXPECT_EQ(json_of_pieces(*back), json) << value;
  };
  expect_same({"model", "merges"}, R"(["▁ a","a b","▁a b"])");
  expect_same({"model", "fuse_unk"}, "true");
  expect_same({"model"}, without(*json.find("model"), "type").dump());
  expect_same({"model", "unk_token"}, R"("<unk>")");
  expect_same({"normalizer"},
              R"({"normalizers":[{"prepend":"▁","type":"Prepend"},{"content":"▁","type":"Replace",)"
              R"("pattern":{"String":" "}}],"type":"Sequence"})");
  expect_same({"truncation"}, R"({"max_length":512})");
  expect_same({"padding"}, R"({"strategy":"BatchLongest"})");
}

// As Yi's file says it.
TEST(SentencePieceJson, SpacesReplacedAloneAreNoSpaceInFront) {
  const Json json = piece_sample_json(FrontSpace::never);
  const std::string replace = R"({"type":"Replace","pattern":{"String":" "},"content":"▁"})";
  for (const std::string& normalizer :
       {replace, R"({"type":"Sequence","normalizers":[)" + replace + "]}"}) {
    const auto back = sentencepiece_from_json(
        with(with(json, {"pre_tokenizer"}, Json()), {"normalizer"}, parse_piece(normalizer)),
        "t.json");
    EXPECT_EQ(json_of_pieces(*back), json);
    EXPECT_EQ(encode_pieces(*back, "ab")[0], *find_token(*back, "ab"));
    EXPECT_EQ(back->decode(encode_pieces(*back, " ab")), " ab");
  }
}

TEST(SentencePieceJson, NamesWhatIsNotSupported) {
  const auto expect = [](FrontSpace front, const std::vector<std::string>& keys,
                         const std::string& value, const std::string& part) {
    const std::string message = error_of([&] {
      sentencepiece_from_json(with(piece_sample_json(front), keys, parse_piece(value)), "t.json");
    });
    EXPECT_TRUE(message.starts_with("t.json: ") && message.find(part) != message.npos)
        << message << "\nwanted " << part;
  };
  const auto expect_error = [&](const std::vector<std::string>& keys, const std::string& value,
                                const std::string& part) {
    expect(FrontSpace::each_part, keys, value, part);
    expect(FrontSpace::at_beginning, keys, value, part);
  };
  expect_error({"version"}, R"("2.0")", "'version'");
  expect_error({"extra"}, "1", "key 'extra'");
  expect_error({"normalizer"}, R"({"type":"NFKC"})", "'normalizer' is not supported");
  expect(FrontSpace::each_part, {"normalizer"}, "null", "'normalizer' is not supported");
  expect_error({"pre_tokenizer"}, R"({"type":"Metaspace"})", "is not supported");
  expect(FrontSpace::at_beginning, {"pre_tokenizer", "split"}, "true", "'pre_tokenizer'");
  expect(FrontSpace::at_beginning, {"pre_tokenizer", "prepend_scheme"}, R"("never")", "'decoder'");
  expect(FrontSpace::never, {"pre_tokenizer", "prepend_scheme"}, R"("first")", "'decoder'");
  expect(FrontSpace::at_beginning, {"pre_tokenizer", "prepend_scheme"}, R"("last")",
         "'pre_tokenizer'");
  expect_error({"decoder"}, "null", "'decoder' is not supported");
  expect_error({"decoder", "decoders"}, R"([{"type":"Fuse"}])", "'decoder' is not supported");
  expect_error({"decoder", "decoders"}, "{}", "'decoder' is not supported");
  expect_error({"decoder"}, "[]", "'decoder' is not supported");
  expect_error({"model", "ignore_merges"}, "true", "'model.ignore_merges'");
  expect_error({"model", "byte_fallback"}, "false", "'model.byte_fallback'");
  expect_error({"model", "type"}, R"("Unigram")", "got: \"Unigram\"");
  expect_error({"model", "dropout"}, "0.1", "'model.dropout'");
  expect_error({"model", "merges"}, R"(["a a"])", "got: 'aa'");
  expect_error({"model", "vocab"}, R"({"<unk>":0,"<s>":1,"</s>":2,"a":3})", "'model.merges[0]'");
  expect_error({"post_processor"}, R"({"type":"Bert"})", "'post_processor.type'");
  const std::string normalized = R"([{"id":0,"content":"<unk>","normalized":true}])";
  expect(FrontSpace::each_part, {"added_tokens"}, normalized, "'added_tokens[0].normalized'");
  Json no_bytes = with(piece_sample_json(), {"model", "merges"}, Json::Array{});
  no_bytes = with(no_bytes, {"model", "vocab"}, parse_piece(R"({"<unk>":0,"<s>":1,"</s>":2})"));
  EXPECT_NE(error_of([&] {
              sentencepiece_from_json(no_bytes, "t.json");
            }).find("t.json: byte 0 has no token"),
            std::string::npos);
}

TEST(SentencePieceJson, TokensByName) {
  const SentencePieceTokenizer tokenizer(piece_sample());
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    EXPECT_EQ(find_token(tokenizer, token_name(tokenizer, id)), id);
  }
  EXPECT_EQ(token_name(tokenizer, kFirstByte + 10), "<0x0A>");
  EXPECT_EQ(find_token(tokenizer, "no such"), std::nullopt);
}

TEST(SentencePieceJson, SpecialTokensStandBehind) {
  const auto tokenizer =
      with_special_tokens(std::make_unique<SentencePieceTokenizer>(piece_sample()), {"<x>"}, "<s>");
  const int64_t own = SentencePieceTokenizer(piece_sample()).vocab_size();
  EXPECT_EQ(tokenizer->vocab_size(), own + 1);
  EXPECT_EQ(find_token(*tokenizer, "<x>"), own);
  EXPECT_EQ(tokenizer->special_tokens().bos, 1);
  const auto back = tokenizer_from_json(parse_piece(tokenizer_json(*tokenizer)), "t.json");
  EXPECT_EQ(tokenizer_hash(*back), tokenizer_hash(*tokenizer));
  EXPECT_EQ(encode_pieces(*back, "a<x>"), encode_pieces(*tokenizer, "a<x>"));
  EXPECT_NE(error_of([] {
              with_special_tokens(std::make_unique<SentencePieceTokenizer>(piece_sample()), {"ab"});
            }).find("is how a token of the text is written"),
            std::string::npos);
}

TEST(SentencePieceJson, DamagedFileIsReadOrRefused) {
  const std::vector<std::string> seeds = {piece_sample_json().dump(),
                                          piece_sample_json(FrontSpace::at_beginning).dump(8)};
  Rng rng(1, "sentencepiece_json");
  int readable = 0;
  constexpr int kRounds = 2000;
  for (int i = 0; i < kRounds; ++i) {
    const std::string text = mutated(seeds, rng);
    const std::string message = error_of([&] {
      const auto read = sentencepiece_from_json(Json::parse(text, "t.json"), "t.json");
      const Json json = json_of_pieces(*read);
      ASSERT_EQ(json_of_pieces(*sentencepiece_from_json(json, "t.json")), json);
    });
    if (message.empty()) ++readable;
    ASSERT_TRUE(message.empty() || message.starts_with("t.json:")) << message;
  }
  // Both outcomes must occur.
  EXPECT_GT(readable, 20);
  EXPECT_LT(readable, kRounds * 3 / 4);
}

}  // namespace
}  // namespace cria
