// Tokenizers in any of their files: what they are is found out, what their roles are, and what was
// written comes back.
#include "cria/tokenizer_files/tokenizer_file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/mutations.h"
#include "cria/base/file.h"
#include "cria/base/json.h"
#include "support/errors.h"
#include "support/files.h"
#include "text/bpe_tokenizer.h"
#include "text/small_sentencepiece.h"
#include "text/tiny_vocabulary.h"
#include "tokenizer_files/byte_characters.h"
#include "tokenizer_files/tokenizer_json.h"

namespace cria {
namespace {

using Ids = std::vector<int32_t>;

class TokenizerFiles : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) const {
    write_quickly(directory_ / name, text);
  }

  // The bytes, "ab" and a token that no merge makes.
  static std::string vocab() {
    Json::Object entries;
    for (const std::string& byte : byte_characters()) entries.emplace_back(byte, entries.size());
    for (const char* token : {"ab", "<|endoftext|>"}) entries.emplace_back(token, entries.size());
    return Json(entries).dump();
  }
  static constexpr const char* kMerges = "#version: 0.2\na b\n";

  // The bytes by number, then "ab".
  static std::string tiktoken() {
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (size_t byte = 0; byte < 256; ++byte) {
      text += {kDigits[byte >> 2], kDigits[(byte & 3) << 4], '=', '='};
      text += " " + std::to_string(byte) + "\n";
    }
    return text + "YWI= 256\n";
  }

  static std::string bpe_file(const std::vector<std::string>& special = {}) {
    return tokenizer_json(BpeTokenizer(tiny_vocabulary({{"a", "b"}}, special)));
  }

  void write_gpt2() const {
    write("vocab.json", vocab());
    write("merges.txt", kMerges);
  }

  std::unique_ptr<Tokenizer> read(const std::string& name = "",
                                  const std::string& regex = "") const {
    return read_tokenizer(name.empty() ? directory_.path() : directory_ / name, regex);
  }

  std::string error(const std::string& name, const std::string& regex = "") const {
    return error_of([&] { read(name, regex); });
  }

  // The error names the file, and says this.
  void expect_error(const std::string& name, const std::string& regex,
                    const std::string& part) const {
    const std::string message = error(name, regex);
    EXPECT_TRUE(message.starts_with(name.empty() ? directory_.path() : directory_ / name) &&
                message.find(part) != message.npos)
        << message << "\nwanted " << part;
  }

  void expect_same(const Tokenizer& a, const Tokenizer& b) const {
    EXPECT_EQ(tokenizer_json(a), tokenizer_json(b));
    EXPECT_EQ(a.special_tokens(), b.special_tokens());
  }

  TemporaryDirectory directory_;
};

Ids encode(const Tokenizer& tokenizer, std::string_view text, bool allow_special = true) {
  return tokenizer.encode_prompt(text, "text", allow_special);
}

TEST_F(TokenizerFiles, EveryFormIsKnownByItsContent) {
  write_gpt2();
  write("any", bpe_file({"<s>"}));
  write("ranks", tiktoken());
  write("gpt2-vocab.json", vocab());
  write("gpt2-merges.txt", "a b\n");  // without its first line
  for (const char* name : {"vocab.json", "merges.txt", "gpt2-vocab.json", "gpt2-merges.txt"}) {
    const auto tokenizer = read(name);
    EXPECT_EQ(encode(*tokenizer, "xab<|endoftext|>"), (Ids{'x', 256, 257})) << name;
    EXPECT_EQ(tokenizer->special_tokens(), SpecialTokens()) << name;
  }
  EXPECT_EQ(encode(*read("any"), "ab<s>"), (Ids{256, 257}));
  EXPECT_EQ(encode(*read("ranks", "llama3"), "abc"), (Ids{256, 'c'}));
  EXPECT_EQ(encode(*read("ranks", "gpt2"), "ab 1234"), (Ids{256, ' ', '1', '2', '3', '4'}));
}

// --- what transformers makes of a tokenizer.json beside its tokenizer_config.json

TEST_F(TokenizerFiles, LlamaTokenizerPutsTheSpaceInFrontAsItsConfigSays) {
  const auto vocabulary = small_sentencepiece({"a", "b"}, {{"\u2581", "a"}});
  write("tokenizer.json", tokenizer_json(SentencePieceTokenizer(vocabulary)));
  const auto front = [&](const std::string& config) {
    write("tokenizer_config.json", config);
    return read()->sentencepiece_vocabulary()->front;
  };
  EXPECT_EQ(front("{}"), FrontSpace::each_part);
  EXPECT_EQ(front(R"({"tokenizer_class": "PreTrainedTokenizerFast", "add_prefix_space": false})"),
            FrontSpace::each_part);
  const std::string llama = R"({"tokenizer_class": "LlamaTokenizer")";
  EXPECT_EQ(front(llama + "}"), FrontSpace::at_beginning);
  EXPECT_EQ(front(llama + R"(, "legacy": true})"), FrontSpace::spaceless);
  EXPECT_EQ(front(llama + R"(, "legacy": true, "add_prefix_space": false})"), FrontSpace::never);
  EXPECT_EQ(front(llama + R"(, "add_prefix_space": null})"), FrontSpace::at_beginning);
  EXPECT_EQ(front(R"({"tokenizer_class": "LlamaTokenizerFast"})"), FrontSpace::at_beginning);
  // The tokens around a text are the file's, not add_bos_token's.
  EXPECT_EQ(front(llama + R"(, "add_eos_token": true})"), FrontSpace::at_beginning);
  EXPECT_EQ(read()->ends(), TextEnds());
  write("config.json", R"({"model_type": "llama"})");
  EXPECT_EQ(front(llama + "}"), FrontSpace::at_beginning);
  write("config.json", R"({"model_type": "mistral"})");
  EXPECT_EQ(front(llama + "}"), FrontSpace::each_part);
  write("config.json", R"({"architectures": ["LlamaForCausalLM"]})");  // of no type
  EXPECT_EQ(front(llama + "}"), FrontSpace::at_beginning);
}

TEST_F(TokenizerFiles, ConfigsActAsInTransformers) {
  const Json golden = read_json(CRIA_SOURCE_DIR "/tests/golden/tokenizer_config.json");
  write("tokenizer.json", golden.find("tokenizer")->dump());
  const Json::Array& texts = golden.find("texts")->as_array("texts");
  int cases = 0;
  for (const Json& example : golden.find("cases")->as_array("cases")) {
    const std::string config = example.find("config")->dump();
    write("tokenizer_config.json", config);
    const auto tokenizer = read();
    for (size_t i = 0; i < texts.size(); ++i) {
      Json::Array ids;
      const std::string& text = texts[i].as_string("text");
      for (const int32_t id : encode(*tokenizer, text, false)) ids.push_back(id);
      EXPECT_EQ(Json(ids), example.find("ids")->as_array("ids")[i])
          << config << " '" << text << "'";
      ++cases;
    }
  }
  EXPECT_EQ(cases, 36 * 7);
}

TEST_F(TokenizerFiles, TokensAreAddedByTheConfigToo) {
  write("tokenizer.json", bpe_file({"<s>"}));
  const auto config = [&](const std::string& tokens) {
    write("tokenizer_config.json", R"({"added_tokens_decoder": {)" + tokens + "}}");
  };
  config(
      R"("258": {"content": "<u>", "special": false}, "257": {"content": "<s>", "special": false})");
  EXPECT_EQ(encode(*read(), "ab<u><s>", false), (Ids{256, 258, 257}));
  config(R"("259": {"content": "<u>"})");
  expect_error("tokenizer.json", "", "added token '<u>' has another id");
  config(R"("258": {"content": "<u>", "lstrip": true})");
  expect_error("tokenizer.json", "", "'added_tokens[1].lstrip'");
  config(R"("x": {"content": "<u>"})");
  expect_error("tokenizer_config.json", "", "added_tokens_decoder: not an id");
  config(R"("258": {"special": true})");
  expect_error("tokenizer.json", "", "added_tokens[1].content");
  config(R"("258": {"content": "<u>", "__type": "AddedToken"})");
  EXPECT_EQ(encode(*read(), "<u>"), Ids{258});
  // The file need not have any itself.
  Json::Object file = Json::parse(bpe_file(), "").as_object("");
  std::erase_if(file, [](const auto& member) { return member.first == "added_tokens"; });
  write("tokenizer.json", Json(file).dump());
  config(R"("257": {"content": "<u>"})");
  EXPECT_EQ(encode(*read(), "<u>"), Ids{257});
}

TEST_F(TokenizerFiles, ASpaceInFrontOfBytesIsRefused) {
  write("tokenizer.json", bpe_file());
  write("tokenizer_config.json",
        R"({"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": true})");
  expect_error("tokenizer_config.json", "", "add_prefix_space");
  write("tokenizer_config.json", R"({"tokenizer_class": "GPT2Tokenizer"})");
  write("config.json", R"({"model_type": 5})");  // of no matter here
  EXPECT_EQ(encode(*read(), "ab"), Ids{256});
}

TEST_F(TokenizerFiles, ADirectoryHasOneOfThem) {
  expect_error("", "", "no tokenizer here");
  write("b.tiktoken", tiktoken());
  EXPECT_EQ(read("", "gpt4")->vocab_size(), 257);
  EXPECT_FALSE(has_tokenizer(directory_.path()));  // which needs a regex
  write("tokenizer.model", tiktoken());
  expect_error("", "gpt4", "got: b.tiktoken and tokenizer.model");
  write_gpt2();
  EXPECT_EQ(read()->vocab_size(), 258);
  EXPECT_TRUE(has_tokenizer(directory_.path()));
  write("tokenizer.json", tokenizer_json(*make_char_tokenizer({'a'})));
  EXPECT_EQ(read()->vocab_size(), 1);
  std::filesystem::remove(directory_ / "tokenizer.json");
  std::filesystem::remove(directory_ / "vocab.json");
  EXPECT_TRUE(error("").starts_with(directory_ / "vocab.json")) << error("");
  write("vocab.json", vocab());
  std::filesystem::remove(directory_ / "merges.txt");
  EXPECT_TRUE(error("").starts_with(directory_ / "merges.txt")) << error("");
}

TEST_F(TokenizerFiles, NamesWhatIsNoTokenizer) {
  const auto expect = [&](const std::string& bytes, const std::string& got) {
    write("file", bytes);
    expect_error("file", "", got);
    expect_error("file", "", "expected: a tokenizer.json, GPT-2's vocab.json");
  };
  expect("", "got: 0 bytes");
  expect("\n\x0E\n\x05<unk>\x15", "a SentencePiece model");
  expect("\x80\x04\x95", "a Python pickle");
  expect("PK\x03\x04...", "a zip archive");
  expect("\x1F\x8B\x08", "a gzip file");
  expect("GGUF\x03", "a GGUF file");
  expect("version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer");
  expect("<!DOCTYPE html>", "a web page");
  expect("<html lang='en'>", "a web page");
  expect("\x80\x09", "got: '\\x80\\t'");
  expect("\x80\x01", "got: '\\x80\\x01'");
  expect("\nonce", "got: '\\nonce'");
  // Almost a line of a tiktoken file, "YWI= 256".
  for (const std::string line : {" 256", "YWI 256", "YW-= 256", "YWI= ", "YWI= 2x", "YWI="}) {
    expect(line, "got: '" + line + "'");
  }
  expect("once upon a time", "got: 'once upon a time'");
  expect("\x80", "got: '\\x80'");
  expect(" \n", "got: ' \\n'");
  write("merges.txt", "");
  expect_error("merges.txt", "", "got: 0 bytes");
  expect_error("missing", "", "");
  write("file", "[1, 2]");
  expect_error("file", "", "wrong kind of JSON value");
  write("file", "{\"a\": 0");
  expect_error("file", "", "");
}

TEST_F(TokenizerFiles, ThePatternIsTheFilesOrMustBeGiven) {
  write("ranks", tiktoken());
  expect_error("ranks", "", "expected: --pattern: one of \"gpt2\", \"gpt4\", \"llama3\"");
  EXPECT_NE(error("ranks", "gpt5"), "");
  write("tokenizer.json", bpe_file());
  EXPECT_EQ(error("", "gpt2"), "");
  expect_error("tokenizer.json", "gpt4", "expected: --pattern gpt2\n  got: --pattern gpt4");
  // These two cut alike.
  BpeVocabulary vocabulary = tiny_vocabulary({{"a", "b"}});
  vocabulary.regex = Regex::gpt4;
  write("tokenizer.json", tokenizer_json(BpeTokenizer(vocabulary)));
  EXPECT_EQ(error("", "gpt4"), "");
  EXPECT_EQ(error("", "llama3"), "");
  expect_error("tokenizer.json", "gpt2", "expected: --pattern gpt4");
  write("tokenizer.json", tokenizer_json(*make_byte_tokenizer()));
  expect_error("tokenizer.json", "gpt2", "no --pattern, as there is none for bytes");
  std::filesystem::remove(directory_ / "tokenizer.json");
  write_gpt2();
  EXPECT_EQ(error("", "gpt2"), "");
  expect_error("vocab.json", "llama3", "expected: --pattern gpt2");
}

TEST_F(TokenizerFiles, RolesAreNamedBesideTheFile) {
  write("tokenizer.json", bpe_file({"<s>", "</s>", "<pad>"}));
  EXPECT_EQ(read()->special_tokens(), SpecialTokens());
  // The file says it in all the ways there are, beside what does not matter.
  write("tokenizer_config.json",
        R"({"bos_token":"<s>","eos_token":{"content":"</s>","lstrip":true},"pad_token":null,)"
        R"("unk_token":"a","model_max_length":1000000000000000019884624838656,)"
        R"("chat_template":[{"name":"x","template":"y"}],"add_bos_token":true})");
  EXPECT_EQ(read()->special_tokens(),
            (SpecialTokens{.bos = 257, .eos = 258, .pad = -1, .unk = 'a'}));
  EXPECT_EQ(read("tokenizer.json")->special_tokens().bos, 257);
  // tokenizer.json alone decides what is put around a text.
  EXPECT_EQ(read()->ends(), TextEnds());
  // Without added_tokens_decoder the other file wins.
  write("special_tokens_map.json", R"({"bos_token":"<pad>","additional_special_tokens":["x"]})");
  EXPECT_EQ(read()->special_tokens(),
            (SpecialTokens{.bos = 259, .eos = 258, .pad = -1, .unk = 'a'}));
  write("tokenizer_config.json", R"({"bos_token":"<s>","added_tokens_decoder":{}})");
  EXPECT_EQ(read()->special_tokens(), (SpecialTokens{.bos = 257}));
  std::filesystem::remove(directory_ / "tokenizer_config.json");
  EXPECT_EQ(read()->special_tokens(), (SpecialTokens{.bos = 259}));
}

TEST_F(TokenizerFiles, NamesWhatIsWrongWithRoles) {
  write("tokenizer.json", bpe_file({"<s>"}));
  const std::string config = directory_ / "tokenizer_config.json";
  const auto expect = [&](const std::string& text, const std::string& start) {
    write("tokenizer_config.json", text);
    EXPECT_TRUE(error("").starts_with(start)) << error("");
  };
  expect(R"({"eos_token":"</s>"})", config + ": eos_token: a role for a token that does not exist");
  expect(R"({"pad_token":{"content":"[PAD]"}})", config + ": pad_token: a role");
  expect(R"({"pad_token":{"content":1}})", config + ": pad_token.content");
  expect(R"({"pad_token":[]})", config + ": pad_token");
  expect(R"({"tokenizer_class":1})", config + ": tokenizer_class");
  expect(R"({"add_bos_token":"yes"})", config + ": add_bos_token");
  expect("[]", config);
  expect("", config);
  std::filesystem::remove(config);
  write("special_tokens_map.json", R"({"unk_token":"<unk>"})");
  EXPECT_TRUE(error("").starts_with(directory_ / "special_tokens_map.json")) << error("");
}

TEST_F(TokenizerFiles, Gpt2sTwoFilesAskForBos) {
  write_gpt2();
  write("tokenizer_config.json", R"({"bos_token":"<|endoftext|>","add_bos_token":true,)"
                                 R"("tokenizer_class":"GPT2Tokenizer"})");
  const auto tokenizer = read();
  EXPECT_EQ(tokenizer->special_tokens(), (SpecialTokens{.bos = 257}));
  EXPECT_EQ(encode(*tokenizer, "ab"), (Ids{257, 256}));
  const auto expect = [&](const std::string& config, const std::string& part) {
    write("tokenizer_config.json", config);
    const std::string message = error("");
    EXPECT_TRUE(message.starts_with(directory_ / "tokenizer_config.json")) << message;
    EXPECT_NE(message.find(part), message.npos) << message;
  };
  expect(R"({"add_bos_token":true})", "add_bos_token without a bos_token");
  write("tokenizer_config.json", R"({"tokenizer_class":"PreTrainedTokenizerFast"})");
  EXPECT_EQ(error(""), "");
  // Others use the same two files and cut text otherwise.
  expect(R"({"tokenizer_class":"Qwen2Tokenizer"})", "got: 'Qwen2Tokenizer'");
  expect(R"({"add_prefix_space":true})", "got: add_prefix_space");
}

// --- special tokens

std::vector<std::unique_ptr<Tokenizer>> all_kinds() {
  std::vector<std::unique_ptr<Tokenizer>> all;
  all.push_back(make_byte_tokenizer());
  all.push_back(make_char_tokenizer({' ', '/', '<', '>', 'a', 'b', 's'}));
  all.push_back(std::make_unique<BpeTokenizer>(tiny_vocabulary({{"a", "b"}})));
  BpeVocabulary llama = tiny_vocabulary({{"a", "b"}});
  llama.regex = Regex::gpt4;
  llama.ignore_merges = true;
  all.push_back(std::make_unique<BpeTokenizer>(std::move(llama)));
  return all;
}

TEST_F(TokenizerFiles, SpecialTokensStandBehindTheVocabulary) {
  for (auto& plain : all_kinds()) {
    const auto n = static_cast<int32_t>(plain->vocab_size());
    const Ids text = encode(*plain, "ab <s>"), ab = encode(*plain, "ab");
    const auto tokenizer = with_special_tokens(std::move(plain), {"<pad>", "<x y>"}, "<s>", "</s>");
    EXPECT_EQ(tokenizer->vocab_size(), n + 4);
    EXPECT_EQ(tokenizer->token(n + 1), "<x y>");
    EXPECT_EQ(tokenizer->special_tokens(), (SpecialTokens{.bos = n + 2, .eos = n + 3}));
    EXPECT_EQ(tokenizer->ends(), (TextEnds{.before = {n + 2}, .after = {}}));
    // A special token in the text is text unless asked for.
    Ids ids;
    tokenizer->encode("ab <s>", ids, "text");
    EXPECT_EQ(ids, text);
    Ids wanted = {n + 2};
    wanted.insert(wanted.end(), ab.begin(), ab.end());
    wanted.push_back(n + 3);
    EXPECT_EQ(encode(*tokenizer, "ab</s>"), wanted);
    EXPECT_EQ(encode(*tokenizer, "<s>ab</s>"), wanted);  // not twice
    EXPECT_EQ(encode(*tokenizer, ""), (Ids{n + 2}));
    EXPECT_EQ(tokenizer->decode(wanted), "<s>ab</s>");
    bool begins = true;
    EXPECT_EQ(tokenizer->shown(n + 2, begins), "");
    EXPECT_EQ(tokenizer->shown(n + 3, begins), "");
    EXPECT_EQ(tokenizer->shown(n, begins), "<pad>");
  }
}

TEST_F(TokenizerFiles, WhatWasWrittenComesBack) {
  for (auto& plain : all_kinds()) {
    for (const char* bos : {"", "<s>"}) {
      const auto tokenizer = with_special_tokens(std::move(plain), {"<pad>"}, bos, bos);
      write_tokenizer_files(directory_.path(), *tokenizer, 99);
      const auto back = read();
      EXPECT_EQ(back->kind(), tokenizer->kind());
      expect_same(*back, *tokenizer);
      EXPECT_EQ(encode(*back, "ab<pad><s> b"), encode(*tokenizer, "ab<pad><s> b"));
      const std::string path = directory_ / "tokenizer_config.json";
      const Json config = Json::parse(read_file(path), path);
      EXPECT_EQ(*config.find("tokenizer_class"), Json("PreTrainedTokenizerFast"));
      EXPECT_EQ(*config.find("clean_up_tokenization_spaces"), Json(false));
      EXPECT_EQ(*config.find("model_max_length"), Json(99));
      EXPECT_EQ(config.find("bos_token") != nullptr, *bos != '\0');
      const Json& added = *config.find("added_tokens_decoder");
      const std::string pad_id = std::to_string(encode(*tokenizer, "<pad>").back());
      ASSERT_NE(added.find(pad_id), nullptr) << added.dump();
      EXPECT_EQ(*added.find(pad_id)->find("content"), Json("<pad>"));
      EXPECT_EQ(added.find(pad_id)->find("id"), nullptr);
      plain = read();
    }
  }
}

TEST_F(TokenizerFiles, TokensThatAreThereOnlyGetTheirRoles) {
  // The trainer puts them before the bytes.
  BpeVocabulary vocabulary = tiny_vocabulary({});
  vocabulary.tokens.insert(vocabulary.tokens.begin(), "<s>");
  vocabulary.added = {{"<s>", 0, false}};
  const auto tokenizer =
      with_special_tokens(std::make_unique<BpeTokenizer>(vocabulary), {"<s>"}, "<s>", "<s>");
  EXPECT_EQ(tokenizer->vocab_size(), 257);
  EXPECT_EQ(tokenizer->special_tokens(), (SpecialTokens{.bos = 0, .eos = 0}));
  ASSERT_EQ(tokenizer->added_tokens().size(), 1u);
  EXPECT_TRUE(tokenizer->added_tokens()[0].special);  // and no longer found in any text
  // A role that is not asked for stays.
  const auto more = with_special_tokens(with_special_tokens(make_byte_tokenizer(), {}, "<s>", ""),
                                        {"<t>"}, "", "</s>");
  EXPECT_EQ(more->special_tokens(), (SpecialTokens{.bos = 256, .eos = 258}));
  EXPECT_EQ(more->ends().before, (Ids{256}));
}

TEST_F(TokenizerFiles, RefusesSpecialTokens) {
  const auto error = [](std::unique_ptr<Tokenizer> tokenizer, std::vector<std::string> specials,
                        const std::string& bos = "") {
    return error_of([&] { with_special_tokens(std::move(tokenizer), specials, bos); });
  };
  EXPECT_TRUE(error(make_byte_tokenizer(), {"<s>", "<s>"})
                  .starts_with("special token '<s>' is there twice"));
  EXPECT_TRUE(error(make_byte_tokenizer(), {""}).starts_with("special token '' is empty"));
  EXPECT_TRUE(error(make_byte_tokenizer(), {"\xFF"}).find("is not UTF-8") != std::string::npos);
  EXPECT_TRUE(error(make_byte_tokenizer(), {}, "\xFF").find("is not UTF-8") != std::string::npos);
  EXPECT_EQ(error(make_byte_tokenizer(), {"<s>"}, "<s>"), "");
  // These are how the file writes a byte, a character, a token.
  const std::string written = "is how a token of the text is written";
  for (const char* text : {"a", "Ġ"}) {
    EXPECT_NE(error(make_byte_tokenizer(), {text}).find(written), std::string::npos) << text;
  }
  EXPECT_EQ(error(make_byte_tokenizer(), {"\n"}), "");
  EXPECT_NE(error(make_char_tokenizer({'a'}), {"a"}).find(written), std::string::npos);
  EXPECT_EQ(error(make_char_tokenizer({'a'}), {"b"}), "");
  EXPECT_NE(
      error(std::make_unique<BpeTokenizer>(tiny_vocabulary({{" ", "b"}})), {"Ġb"}).find(written),
      std::string::npos);
}

// --- damage

TEST_F(TokenizerFiles, DamagedFilesAreReadOrRefused) {
  const auto special = [](std::unique_ptr<Tokenizer> tokenizer) {
    return tokenizer_json(*with_special_tokens(std::move(tokenizer), {"<pad>"}, "<s>", "</s>"));
  };
  const std::vector<std::string> configs = {
      R"({"bos_token":"<s>","eos_token":{"content":"</s>"},"add_bos_token":false})",
      R"({"tokenizer_class":"GPT2Tokenizer","pad_token":null})"};
  struct Form {
    const char *name, *regex;
    std::vector<std::string> seeds;
  };
  const std::vector<Form> forms = {
      {"tokenizer.json",
       "",
       {special(make_byte_tokenizer()), special(make_char_tokenizer({' ', 'a', 'b'})),
        special(std::make_unique<BpeTokenizer>(tiny_vocabulary({{"a", "b"}})))}},
      {"vocab.json", "", {vocab(), Json::parse(vocab(), "").dump(8)}},
      {"merges.txt", "", {kMerges, "a b\nab b\n"}},
      {"ranks.tiktoken", "gpt4", {tiktoken()}},
      {"tokenizer_config.json", "", configs},
      {"special_tokens_map.json", "", configs}};
  Rng rng(1, "tokenizer_files");
  for (const Form& form : forms) {
    const std::string name = form.name;
    int readable = 0;
    constexpr int kRounds = 1500;
    const bool beside = name.ends_with("_config.json") || name.ends_with("_map.json");
    write("tokenizer.json", bpe_file({"<s>", "</s>", "<pad>"}));
    write_gpt2();
    for (int i = 0; i < kRounds; ++i) {
      write(name, mutated(form.seeds, rng));
      const std::string message = error_of([&] {
        const auto tokenizer = read(beside ? "tokenizer.json" : name, form.regex);
        ASSERT_GT(tokenizer->vocab_size(), 0);
        const Ids ids = encode(*tokenizer, "ab a");
        const std::string text = tokenizer->decode(ids);
        ASSERT_TRUE(text.ends_with("ab a")) << text;
      });
      if (message.empty()) ++readable;
      // Text may fail to encode: the damaged vocabulary may lack the character.
      const bool named = message.starts_with(directory_.path()) || message.starts_with("text at");
      ASSERT_TRUE(message.empty() || named) << message;
    }
    // Both outcomes must occur.
    EXPECT_GT(readable, 0) << name;
    EXPECT_LT(readable, kRounds) << name;
    std::filesystem::remove(directory_ / name);
  }
}

}  // namespace
}  // namespace cria
