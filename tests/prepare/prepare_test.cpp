#include "prepare/prepare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "cria/base/file.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "prepare/prepare_directory.h"
#include "support/errors.h"
#include "support/files.h"
#include "support/threads.h"
#include "text/bpe_tokenizer.h"
#include "text/small_sentencepiece.h"

namespace cria {
namespace {

using Names = std::vector<std::string>;

class PrepareTest : public testing::Test {
 public:
  std::string write(const std::string& name, const std::string& bytes) const {
    write_file(directory_ / name, bytes);
    return directory_ / name;
  }

  PrepareRequest request(const Names& texts, const std::string& tokenizer) const {
    PrepareRequest request;
    request.texts = texts;
    request.tokenizer = tokenizer;
    request.directory = directory_ / "d";
    return request;
  }

  Json prepare(const PrepareRequest& request) const {
    std::filesystem::remove_all(request.directory);
    return prepare_dataset(request);
  }

  // The same, checksums of shards and all, on one thread and on three.
  void prepare_on_threads(const PrepareRequest& request) const {
    const auto on = [&](int threads) {
      const ThreadCount scope(threads);
      return prepare(request);
    };
    EXPECT_EQ(on(1), on(3));
  }

  // All ids of a split.
  std::vector<int32_t> ids(const std::string& split) const {
    std::vector<int32_t> all;
    const std::unique_ptr<Tokenizer> tokenizer = read_tokenizer(directory_ / "d");
    const Json json = Json::parse(read_file(directory_ / "d/dataset.json"), "dataset.json");
    for (const Json& name : json.find(split)->find("shards")->as_array(split)) {
      const Shard shard(directory_ / "d/" + name.as_string(split), ShardFormat::llmc);
      const size_t before = all.size();
      all.resize(before + static_cast<size_t>(shard.tokens()));
      shard.read(0, shard.tokens(), tokenizer->vocab_size(), all.data() + before);
    }
    return all;
  }

  // Questions and answers: what is before "a" is not learned.
  PrepareRequest prompted(const Names& texts, const std::string& tokenizer) const;

  // Of all tokens of a split, '1' for those that are learned.
  std::string masks(const std::string& split) const;

  std::string text(const std::string& split) const {
    return read_tokenizer(directory_ / "d")->decode(ids(split));
  }

  TemporaryDirectory directory_;
};

// Words of letters, signs and white space, in which GPT-4's regex finds long pieces and short.
std::string random_text(size_t bytes) {
  std::mt19937 random(1);
  std::string text;
  while (text.size() < bytes) {
    const size_t length = random() % 50 == 0 ? random() % 3000 : random() % 12;
    const char* const ends[] = {" ", "", "\n", "  ", ".\n", "\r\n\r\n", "\u3002"};
    for (size_t i = 0; i < length; ++i) text += static_cast<char>('a' + random() % 3);
    text += ends[random() % 7];
  }
  return text;
}

TEST_F(PrepareTest, IdsAreThoseOfWholeDocuments) {
  // The second has no place to cut but between the parts of a giant piece, the third is small.
  const Names documents = {random_text(5 << 20), std::string((3 << 20) + 5, 'a'), "abc"};
  Names texts;
  for (size_t i = 0; i < documents.size(); ++i) {
    texts.push_back(write(std::to_string(i) + ".txt", documents[i]));
  }
  PrepareRequest all = request(texts, "bpe");
  all.vocab_size = 300;
  all.val_fraction = 0;
  all.eos = "<e>";
  prepare_on_threads(all);
  const std::unique_ptr<Tokenizer> tokenizer = read_tokenizer(directory_ / "d");
  std::vector<int32_t> expected;
  for (const std::string& document : documents) {
    tokenizer->encode(document, expected, "text");
    expected.push_back(tokenizer->special_tokens().eos);
  }
  EXPECT_TRUE(ids("train") == expected);
}

// The space in front of a document is put there once, not in front of each of its chunks.
TEST_F(PrepareTest, ASpaceStandsInFrontOfDocumentsOnly) {
  write_tokenizer_files(directory_.path(), SentencePieceTokenizer(small_sentencepiece(
                                               {"a", "b"}, {{"\u2581", "a"}, {"a", "b"}})));
  const std::string text = random_text(1 << 20);
  PrepareRequest all =
      request({write("a.txt", text), write("b.txt", "b")}, directory_ / "tokenizer.json");
  all.val_fraction = 0;
  prepare(all);
  const std::unique_ptr<Tokenizer> tokenizer = read_tokenizer(directory_ / "d");
  EXPECT_EQ(tokenizer->kind(), "sentencepiece");
  std::vector<int32_t> expected;
  for (const std::string& document : {text, std::string("b")}) {
    tokenizer->encode(document, expected, "text");
  }
  EXPECT_TRUE(ids("train") == expected);
}

TEST_F(PrepareTest, AddedTokensAreNotCut) {
  // Everywhere an added token goes over the place where the text could be cut.
  BpeVocabulary vocabulary;
  for (int byte = 0; byte < 256; ++byte) vocabulary.tokens.emplace_back(1, static_cast<char>(byte));
  vocabulary.tokens.push_back("a b");
  vocabulary.added.push_back({"a b", 256, false});
  write_tokenizer_files(directory_.path(), BpeTokenizer(vocabulary));
  std::string text;
  while (text.size() < (1 << 20)) text += text.size() % 3 == 0 ? "a ba b" : "a b";
  PrepareRequest all = request({write("a.txt", text)}, directory_ / "tokenizer.json");
  all.val_fraction = 0;
  prepare(all);
  EXPECT_EQ(std::ssize(ids("train")), std::ssize(text) / 3);
}

TEST_F(PrepareTest, DocumentsAreSplitWhole) {
  write("a.txt", "0\n1\n2\n3\n4\n5\n6\n");
  PrepareRequest lines = request({directory_ / "a.txt"}, "chars");
  lines.documents.lines = true;
  lines.val_fraction = 0.3;
  lines.eos = "|";
  const Json json = prepare(lines);
  EXPECT_EQ(text("train"), "0|1|2|3|4|");
  EXPECT_EQ(text("val"), "5|6|");
  EXPECT_EQ(json.find("train")->find("bytes")->dump(), "5");
  EXPECT_EQ(json.find("val")->find("documents")->dump(), "2");
  lines.val_fraction = 0.99;
  prepare(lines);
  EXPECT_EQ(text("train"), "0|");  // at least one
  lines.val_fraction = 0;
  prepare(lines);
  EXPECT_EQ(text("train"), "0|1|2|3|4|5|6|");
  lines.val_texts = {write("v.txt", "a\n\nb")};
  lines.val_fraction = 0.3;  // no longer matters
  const Json with_val = prepare(lines);
  EXPECT_EQ(text("train"), "0|1|2|3|4|5|6|");
  EXPECT_EQ(text("val"), "a|b|");
  EXPECT_EQ(with_val.find("val")->find("bytes")->dump(), "2");
}

TEST_F(PrepareTest, ASingleDocumentIsSplitByTokens) {
  PrepareRequest whole = request({write("a.txt", "0123456789")}, "bytes");
  whole.val_fraction = 0.25;
  whole.bos = "<b>";
  whole.eos = "<e>";
  whole.shard_tokens = 5;
  const Json json = prepare(whole);
  EXPECT_EQ(text("train"), "<b>01234567");  // 12 tokens
  EXPECT_EQ(text("val"), "89<e>");
  EXPECT_EQ(json.find("train")->dump(),
            "{\"tokens\":9,\"bytes\":8,\"documents\":1,"
            "\"shards\":[\"train_000000.bin\",\"train_000001.bin\"],"
            "\"checksums\":[\"4a42b05e32065f34\",\"d5f53fa29473f372\"]}");
  EXPECT_EQ(json.find("val")->find("bytes")->dump(), "2");
}

TEST_F(PrepareTest, TheEndOfEachFileValidates) {
  const std::string small = write("a.txt", std::string(90, 'a') + std::string(10, 'b'));
  const std::string large = write("b.txt", std::string(9000, 'c') + std::string(1000, 'd'));
  // Also in several shards, which are read again when they are divided.
  for (const auto& [files, shard_tokens] :
       {std::pair(Names{small, large}, ShardSeries::kShardTokens),
        std::pair(Names{large, small}, ShardSeries::kShardTokens),
        std::pair(Names{small, large}, int64_t{3000})}) {
    PrepareRequest both = request(files, "bytes");
    both.shard_tokens = shard_tokens;
    std::string said;
    both.note = [&](const std::string& line) { said += line; };
    const Json json = prepare(both);
    std::string val = text("val");
    std::ranges::sort(val);
    EXPECT_EQ(val, std::string(10, 'b') + std::string(1000, 'd'));
    EXPECT_EQ(json.find("val")->find("bytes")->dump(), "1010");
    EXPECT_EQ(json.find("val")->find("documents")->dump(), "2");
    EXPECT_EQ(json.find("train")->find("bytes")->dump(), "9090");
    EXPECT_EQ(said, "");
  }
}

TEST_F(PrepareTest, AShareThatDocumentsCannotGiveIsSaid) {
  PrepareRequest lines =
      request({write("a.txt", "aaaa\n" + std::string(100, 'b') + "\n")}, "bytes");
  lines.documents.lines = true;
  std::string said;
  lines.note = [&](const std::string& line) { said += line; };
  prepare(lines);
  EXPECT_EQ(text("val"), std::string(100, 'b'));
  EXPECT_NE(said.find("warning: 96.2% of the tokens are to validate on, not the 10%"),
            std::string::npos)
      << said;
}

TEST_F(PrepareTest, TheTokenizersOwnEndsUnlessTold) {
  const std::string a = write("a.txt", "abc"), b = write("b.txt", "d");
  PrepareRequest first = request({a, b}, "bytes");
  first.bos = first.eos = "<s>";
  first.val_fraction = 0;
  Json json = prepare(first);
  EXPECT_EQ(text("train"), "<s>abc<s><s>d<s>");
  EXPECT_EQ(json.find("bos_token_id")->dump() + json.find("eos_token_id")->dump(), "256256");
  write_file(directory_ / "tokenizer.json", read_file(directory_ / "d/tokenizer.json"));
  PrepareRequest second = request({a, b}, directory_ / "tokenizer.json");
  second.val_fraction = 0;
  json = prepare(second);
  EXPECT_EQ(text("train"), "<s>abc<s>d");  // what its file puts around a text
  EXPECT_EQ(json.find("bos_token_id")->dump() + json.find("eos_token_id")->dump(), "256null");
  second.bos = "none";
  json = prepare(second);
  EXPECT_EQ(text("train"), "abcd");
  EXPECT_TRUE(json.find("bos_token_id")->is_null());
}

TEST_F(PrepareTest, SpecialTokensAreInTheVocabulary) {
  PrepareRequest learned = request({write("a.txt", "aaaa bbbb aaaa <x>")}, "bpe");
  learned.vocab_size = 262;
  learned.special_tokens = {"<x>", "<y>"};
  learned.eos = "<e>";
  learned.val_fraction = 0;
  const Json json = prepare(learned);
  const std::unique_ptr<Tokenizer> tokenizer = read_tokenizer(directory_ / "d");
  EXPECT_EQ(tokenizer->vocab_size(), 262);
  EXPECT_EQ(tokenizer->token(0), "<x>");
  EXPECT_EQ(tokenizer->token(2), "<e>");
  EXPECT_EQ(json.find("eos_token_id")->dump(), "2");
  EXPECT_EQ(text("train"), "aaaa bbbb aaaa <x><e>");
  EXPECT_EQ(std::ranges::count(ids("train"), 0), 0);  // in the text it is text
  learned.special_tokens = {"<x>", "<x>"};
  EXPECT_NE(error_of([&] { prepare(learned); }).find("'<x>' is there twice"), std::string::npos);
}

TEST_F(PrepareTest, TheCommonestWordsAreTokens) {
  PrepareRequest words =
      request({write("a.txt", "I love dogs. I love, and I love cats.")}, "words");
  words.vocab_size = 7;
  words.eos = "</s>";
  words.val_fraction = 0;
  const Json json = prepare(words);
  // <unk>, then I and love thrice, the full stop twice, of the rest what is left room for.
  EXPECT_EQ(text("train"), "I love <unk> . I love , and I love <unk> .</s>");
  EXPECT_EQ(ids("train"), (std::vector<int32_t>{1, 2, 0, 3, 1, 2, 4, 5, 1, 2, 0, 3, 6}));
  EXPECT_EQ(json.find("tokenizer")->find("kind")->dump(), "\"words\"");
  words.vocab_size = 2;
  EXPECT_NE(error_of([&] { prepare(words); }).find("expected: at least 3"), std::string::npos);
}

TEST_F(PrepareTest, ATokenizersEosStandsBehindDocuments) {
  const std::string a = write("a.txt", "abc"), b = write("b.txt", "d");
  PrepareRequest first = request({a, b}, "bytes");
  first.eos = "</s>";
  first.val_fraction = 0;
  prepare(first);
  PrepareRequest second = request({a, b}, directory_ / "of_first");
  std::filesystem::rename(directory_ / "d", directory_ / "of_first");
  second.val_fraction = 0;
  std::string said;
  second.note = [&](const std::string& line) { said += line; };
  const Json json = prepare(second);
  EXPECT_EQ(text("train"), "abc</s>d</s>");
  EXPECT_EQ(json.find("eos_token_id")->dump(), "256");
  EXPECT_EQ(said, "each document ends with '</s>', the tokenizer's eos; --eos none leaves it out");
  second.eos = "none";
  EXPECT_TRUE(prepare(second).find("eos_token_id")->is_null());
  EXPECT_EQ(text("train"), "abcd");
}

TEST_F(PrepareTest, ARunIsItsModelsTokenizer) {
  const std::string checkpoint = directory_ / "run/checkpoints/step-00000002";
  make_directories(checkpoint);
  write_file(checkpoint + "/config.json", "{}");
  write_tokenizer_files(checkpoint, *make_char_tokenizer({'a', 'b'}));
  PrepareRequest as_run = request({write("a.txt", "abba")}, directory_ / "run");
  as_run.val_fraction = 0;
  prepare(as_run);
  EXPECT_EQ(ids("train"), (std::vector<int32_t>{0, 1, 1, 0}));
}

TEST_F(PrepareTest, RareWordsAreDroppedAndThatIsSaid) {
  std::string words;
  for (int i = 0; i < 1000; ++i)
    words += "w" + std::string(1, static_cast<char>('a' + i % 26)) + std::to_string(i) + " and ";
  PrepareRequest small = request({write("a.txt", words)}, "bpe");
  small.vocab_size = 270;
  small.words = {.words = 100, .bytes = 10000};
  std::string said;
  small.note = [&](const std::string& line) { said += line; };
  const Json json = prepare(small);
  EXPECT_NE(said.find("rare words were dropped"), std::string::npos) << said;
  EXPECT_EQ(json.find("tokenizer")->find("words")->dump(), "50");
  EXPECT_GT(json.find("tokenizer")->find("dropped_words")->as_int(""), 500);
}

TEST_F(PrepareTest, EmptyDocumentsAreCountedAndSaid) {
  PrepareRequest lines = request({write("a.txt", "a\n\n\nb\n")}, "bytes");
  lines.documents.lines = true;
  lines.val_fraction = 0.5;
  std::string said;
  lines.note = [&](const std::string& line) { said += line; };
  EXPECT_EQ(prepare(lines).find("train")->find("documents")->dump(), "1");
  EXPECT_EQ(said, "empty documents passed over: 2");
}

TEST_F(PrepareTest, WhatWasPassedOverIsNamed) {
  const std::string a = write("a.jsonl", "{\"text\": \"one\"}\nx\n{\"text\": \"two\"}\n");
  PrepareRequest bad = request({a}, "bytes");
  bad.documents.skip_bad = true;
  bad.val_fraction = 0.5;
  std::string said;
  bad.note = [&](const std::string& line) { said += line + "\n"; };
  prepare(bad);
  EXPECT_EQ(text("train") + text("val"), "onetwo");
  EXPECT_EQ(said, "bad lines passed over: 1\n  " + a + ":2:1: invalid JSON value\n");
  // Of many the first ten.
  std::string lines = "{\"text\": \"one\"}\n{\"text\": \"two\"}\n";
  for (int i = 0; i < 11; ++i) lines += "x\n";
  write("a.jsonl", lines);
  said.clear();
  prepare(bad);
  EXPECT_TRUE(said.starts_with("bad lines passed over: 11\n  " + a + ":3:1: ")) << said;
  EXPECT_TRUE(said.ends_with("  " + a + ":12:1: invalid JSON value\n  ...\n")) << said;
}

// --- prompts

PrepareRequest PrepareTest::prompted(const Names& texts, const std::string& tokenizer) const {
  PrepareRequest all = request(texts, tokenizer);
  all.documents.prompt_field = "q";
  all.documents.field = "a";
  all.eos = "<e>";
  return all;
}

std::string PrepareTest::masks(const std::string& split) const {
  std::string all;
  const Json json = Json::parse(read_file(directory_ / "d/dataset.json"), "dataset.json");
  const Json* const names = json.find(split)->find("masks");
  if (!names) return all;
  for (const Json& name : names->as_array(split)) {
    for (const char byte : read_file(directory_ / "d/" + name.as_string(split))) {
      all += static_cast<char>('0' + byte);
    }
  }
  return all;
}

TEST_F(PrepareTest, PromptsAreReadAndNotLearned) {
  const std::string a = write("a.jsonl",
                              "{\"a\": \"34\", \"id\": 1, \"q\": \"12?\"}\n"
                              "{\"q\": \"\", \"a\": \"none\"}\n"
                              "{\"q\": \"nothing\", \"a\": \"\"}\n"
                              "{\"q\": \"x\", \"a\": \"y\"}\n");
  PrepareRequest all = prompted({a}, "bytes");
  all.bos = "<b>";
  all.val_fraction = 0;
  all.shard_tokens = 5;
  std::string said;
  all.note = [&](const std::string& line) { said += line; };
  const Json json = prepare(all);
  EXPECT_EQ(said, "empty documents passed over: 1");
  EXPECT_EQ(text("train"), "<b>12?34<e><b>none<e><b>xy<e>");
  EXPECT_EQ(masks("train"),
            "0000"
            "111"
            "111111"
            "00"
            "11");
  const Json& train = *json.find("train");
  EXPECT_EQ(train.find("bytes")->dump(), "11");
  EXPECT_EQ(train.find("learned")->dump(), "11");
  EXPECT_EQ(train.find("masks")->dump(),
            R"(["train_000000.mask","train_000001.mask","train_000002.mask","train_000003.mask"])");
  EXPECT_EQ(train.find("mask_checksums")->as_array("").size(), 4u);
  EXPECT_EQ(json.find("val")->find("masks"), nullptr);
  for (const std::string name : {"train_000000", "train_000003"}) {
    EXPECT_EQ(std::ssize(read_file(directory_ / "d/" + name + ".mask")),
              Shard(directory_ / "d/" + name + ".bin", ShardFormat::llmc).tokens());
  }
}

// Each is encoded by itself, in chunks or whole, and what follows a prompt does not begin a text.
TEST_F(PrepareTest, APromptEndsWithAToken) {
  write_tokenizer_files(directory_.path(), SentencePieceTokenizer(small_sentencepiece(
                                               {"a", "b"}, {{"\u2581", "a"}, {"a", "b"}})));
  Names prompts, answers;
  std::string lines;
  for (const size_t bytes : {1u << 20, 5u, 300000u}) {
    prompts.push_back("a" + random_text(bytes) + "a");
    answers.push_back("b" + random_text(bytes / 2) + "ab");
    Json line;
    line.set("q", prompts.back());
    line.set("a", answers.back());
    lines += line.dump() + "\n";
  }
  const std::string file = write("a.jsonl", lines);
  for (const std::string& tokenizer_name : {std::string("bpe"), directory_ / "tokenizer.json"}) {
    PrepareRequest all = prompted({file}, tokenizer_name);
    if (tokenizer_name == "bpe") all.vocab_size = 300;
    all.val_fraction = 0;
    prepare_on_threads(all);
    const std::unique_ptr<Tokenizer> tokenizer = read_tokenizer(directory_ / "d");
    std::vector<int32_t> expected;
    std::string mask;
    for (size_t i = 0; i < prompts.size(); ++i) {
      tokenizer->encode(prompts[i], expected, "prompt");
      mask.resize(expected.size(), '0');
      tokenizer->encode_after_cut(answers[i], expected, "answer", 0);
      expected.push_back(tokenizer->special_tokens().eos);
      mask.resize(expected.size(), '1');
    }
    EXPECT_TRUE(ids("train") == expected) << tokenizer_name;
    EXPECT_TRUE(masks("train") == mask) << tokenizer_name;
  }
}

TEST_F(PrepareTest, MasksFollowTheirTokensToValidation) {
  std::string lines;
  for (int i = 0; i < 10; ++i) {
    lines += R"({"q": "what is )" + std::to_string(i) + R"(?", "a": "it"})" + "\n";
  }
  PrepareRequest several = prompted({write("a.jsonl", lines)}, "bytes");
  const Json json = prepare(several);
  EXPECT_EQ(text("val"), "what is 9?it<e>");
  EXPECT_EQ(masks("val"),
            "0000000000"
            "111");
  EXPECT_EQ(json.find("val")->find("learned")->dump(), "3");
  EXPECT_EQ(json.find("train")->find("learned")->dump(), "27");
  // Tokens of a file's only document.
  PrepareRequest one = prompted({write("b.jsonl", R"({"q": "0123456", "a": "78"})")}, "bytes");
  one.val_fraction = 0.5;
  EXPECT_EQ(prepare(one).find("val")->find("bytes")->dump(), "4");
  EXPECT_EQ(text("train") + "|" + text("val"), "01234|5678<e>");
  EXPECT_EQ(masks("train") + "|" + masks("val"), "00000|00111");
  one.val_texts = {write("v.jsonl", R"({"q": "u", "a": "v"})")};
  prepare(one);
  EXPECT_EQ(masks("train") + "|" + masks("val"), "0000000111|011");
}

TEST_F(PrepareTest, WithoutPromptsThereAreNoMasks) {
  PrepareRequest plain = prompted({write("a.jsonl", "{\"q\": \"x\", \"a\": \"y\"}\n")}, "bytes");
  plain.documents.prompt_field = "";
  plain.val_fraction = 0;
  EXPECT_EQ(prepare(plain).find("train")->find("learned"), nullptr);
  EXPECT_FALSE(exists(directory_ / "d/train_000000.mask"));
}

// Another dataset's would be taken for this one's.
TEST_F(PrepareTest, AMaskThatWasLeftIsInTheWay) {
  const PrepareRequest bytes = request({write("a.txt", "abc")}, "bytes");
  make_directories(bytes.directory);
  write_file(bytes.directory + "/train_000000.mask", "111");
  const std::string message = error_of([&] { prepare_dataset(bytes); });
  EXPECT_NE(message.find("train_000000.mask: exists already"), std::string::npos) << message;
}

TEST_F(PrepareTest, ASeparatorThatDoesNotOccurIsSaid) {
  PrepareRequest never = request({write("a.txt", "one\n\ntwo")}, "bytes");
  never.documents.separator = "\r";
  never.val_fraction = 0;
  std::string said;
  never.note = [&](const std::string& line) { said += line; };
  prepare(never);
  EXPECT_EQ(said,
            "warning: '\\r', the document separator, does not occur: each file is one document");
  said.clear();
  never.documents.separator = "\n\n";
  prepare(never);
  EXPECT_EQ(said, "");
}

TEST_F(PrepareTest, StoppedAtAnyTimeItLeavesNothing) {
  const std::string a = write("a.txt", random_text(1000000));
  PrepareRequest learned = request({a}, "bpe");
  learned.vocab_size = 280;
  std::vector<std::string> phases;
  learned.progress = [&](const PrepareProgress& progress) {
    if (phases.empty() || phases.back() != progress.phase) phases.emplace_back(progress.phase);
  };
  prepare(learned);
  EXPECT_EQ(phases, (Names{"counting words", "learning merges", "encoding", "splitting"}));
  std::filesystem::remove_all(learned.directory);
  for (const std::string& last : phases) {
    std::atomic<bool> stop = false;
    learned.stop = &stop;
    learned.progress = [&](const PrepareProgress& progress) { stop = progress.phase == last; };
    EXPECT_THROW(prepare_dataset(learned), Interrupted) << last;
    EXPECT_EQ(directory_.names(), Names{"a.txt"}) << last;
  }
}

// They are read once to learn from and again to be encoded.
TEST_F(PrepareTest, TextsThatChangeMeanwhileAreRefused) {
  const std::string first = random_text(1000000), a = write("a.txt", first);
  PrepareRequest learned = request({a}, "bpe");
  learned.vocab_size = 280;
  learned.progress = [&](const PrepareProgress& progress) {
    if (progress.phase == std::string("learning merges")) write_quickly(a, "aab");
  };
  EXPECT_EQ(error_of([&] { prepare_dataset(learned); }),
            a + ": the texts changed while they were read\n  expected: " +
                std::to_string(first.size()) + " bytes of text, as before\n  got: 3");
  EXPECT_EQ(directory_.names(), Names{"a.txt"});
}

// --- the directory

TEST_F(PrepareTest, TwoDoNotMeet) {
  const PrepareRequest bytes = request({write("a.txt", "abc")}, "bytes");
  {
    const PrepareDirectory other(bytes.directory);
    const std::string message = error_of([&] { prepare_dataset(bytes); });
    EXPECT_NE(message.find("locked by another process"), std::string::npos) << message;
    EXPECT_TRUE(exists(other.path()));
  }
  EXPECT_FALSE(exists(bytes.directory));
  prepare_dataset(bytes);
  EXPECT_EQ(text("train"), "ab");
}

TEST_F(PrepareTest, WhatAKilledOneLeftIsClearedAway) {
  const PrepareRequest bytes = request({write("a.txt", "abc")}, "bytes");
  prepare_dataset(bytes);
  // The directory looks as if prepare had been killed between two renames.
  const std::string d = bytes.directory;
  make_directories(d + "/prepare.tmp/texts");
  write_file(d + "/prepare.tmp/lock", "");
  write_file(d + "/prepare.tmp/texts/input_0", "x");
  for (const char* name : {"train_000000.bin", "val_000000.bin"}) {
    std::filesystem::create_hard_link(d + "/" + name, d + "/prepare.tmp/" + name);
  }
  for (const char* name : {"tokenizer.json", "dataset.json"}) {
    std::filesystem::rename(d + "/" + name, d + "/prepare.tmp/" + name);
  }
  prepare_dataset(bytes);
  EXPECT_EQ(text("train"), "ab");
  EXPECT_EQ(text("val"), "c");
  EXPECT_FALSE(exists(d + "/prepare.tmp"));
}

// A directory made by others, whose prepare.tmp wants files gone.
TEST_F(PrepareTest, NothingIsRemovedThatAStrangersFilesName) {
  const PrepareRequest bytes = request({write("a.txt", "abc")}, "bytes");
  const std::string d = bytes.directory;
  make_directories(d + "/prepare.tmp/held");
  write_file(d + "/mine.txt", "x");
  write_file(directory_ / "held.txt", "x");
  write_file(d + "/prepare.tmp/dataset.json",
             R"({"train": {"shards": ["../held.txt", "mine.txt", ")" + (directory_ / "held.txt") +
                 R"("]}})");
  std::filesystem::create_symlink("../mine.txt", d + "/prepare.tmp/mine.txt");
  std::filesystem::create_directory_symlink(directory_.path(), d + "/prepare.tmp/held/all");
  prepare_dataset(bytes);
  EXPECT_TRUE(exists(d + "/mine.txt"));
  EXPECT_EQ(directory_.names(), (Names{"a.txt", "d", "held.txt"}));
  EXPECT_FALSE(exists(d + "/prepare.tmp"));
}

TEST_F(PrepareTest, ALinkIsNoPlaceToWorkIn) {
  const PrepareRequest bytes = request({write("a.txt", "abc")}, "bytes");
  make_directories(directory_ / "held");
  write_file(directory_ / "held/file", "x");
  make_directories(bytes.directory);
  std::filesystem::create_directory_symlink("../held", bytes.directory + "/prepare.tmp");
  const std::string message = error_of([&] { prepare_dataset(bytes); });
  EXPECT_NE(message.find("d/prepare.tmp: is a link"), std::string::npos) << message;
  EXPECT_EQ(read_file(directory_ / "held/file"), "x");
}

TEST_F(PrepareTest, AFinishedDatasetIsNotClearedAway) {
  const PrepareRequest bytes = request({write("a.txt", "abc")}, "bytes");
  prepare_dataset(bytes);
  // As if it had been killed at the very end.
  const std::string d = bytes.directory;
  make_directories(d + "/prepare.tmp");
  std::filesystem::create_hard_link(d + "/train_000000.bin", d + "/prepare.tmp/train_000000.bin");
  const std::string message = error_of([&] { prepare_dataset(bytes); });
  EXPECT_NE(message.find("exists already"), std::string::npos) << message;
  EXPECT_EQ(text("train"), "ab");
}

TEST_F(PrepareTest, ADatasetIsNotWrittenOver) {
  const PrepareRequest bytes = request({write("a.txt", "abc")}, "bytes");
  prepare_dataset(bytes);
  const std::string message = error_of([&] { prepare_dataset(bytes); });
  EXPECT_NE(message.find("exists already"), std::string::npos) << message;
  EXPECT_EQ(text("train"), "ab");
  EXPECT_FALSE(exists(bytes.directory + "/prepare.tmp"));
}

}  // namespace
}  // namespace cria
