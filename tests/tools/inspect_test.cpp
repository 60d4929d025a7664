// cria inspect: what it prints, and what it refuses.
#include <gtest/gtest.h>

#include "cria/base/json.h"
#include "cria/data/shard.h"
#include "support/cli.h"
#include "text/bpe_tokenizer.h"
#include "text/tiny_vocabulary.h"
#include "tokenizer_files/tokenizer_json.h"

namespace cria {
namespace {

class InspectTest : public CliTest {
 public:
  void SetUp() override {
    CliTest::SetUp();
    if (IsSkipped()) return;
    // Ids 256 'ab', 257 'abc', 258 <|end|>
    write("tiny.json",
          tokenizer_json(BpeTokenizer(tiny_vocabulary({{"a", "b"}, {"ab", "c"}}, {"<|end|>"}))));
    write_tokens("tiny_0.bin", {257, 32, 258, 256});
    write_tokens("tiny_1.bin", {32, 97, 258, 97, 258, 10, 98});
  }

  void write_tokens(const std::string& name, const std::vector<int32_t>& tokens,
                    int64_t vocabulary = 259) const {
    ShardWriter writer(path(name), vocabulary);
    writer.write(tokens);
    writer.finish();
  }

  Json json(Arguments arguments) const {
    arguments.insert(arguments.begin(), "inspect");
    arguments.push_back("--json");
    const std::string out = run(arguments).out;
    EXPECT_EQ(out.find('\n'), out.size() - 1) << out;
    return Json::parse(out, "standard output");
  }

  void expect_failure(const Arguments& arguments, int code, const std::string& part) const {
    const ProcessResult result = cria(arguments);
    EXPECT_EQ(result.exit_code, code) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_TRUE(contains(result.err, part)) << part << " is not in:\n" << result.err;
  }
};

TEST_F(InspectTest, ATokenizer) {
  const ProcessResult result =
      run({"inspect", "tiny.json", "--text", "abc ab|\nabc \u00E9", "--ids", "--top", "2"});
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.out,
            "tokenizer  tiny.json\n"
            "           bpe, pattern gpt2, 259 tokens, 2 merges\n"
            "\n"
            "added tokens\n"
            "    id  token\n"
            "   258  '<|end|>'  special\n"
            "\n"
            "tokens by length in bytes\n"
            "      1     256   99.2%  ████████████████████████████████████████\n"
            "      2       1    0.4%  ▏\n"
            "      3       1    0.4%  ▏\n"
            "128 of 258 (49.6%) are no valid UTF-8 on their own\n"
            "\n"
            "longest tokens\n"
            "    id  bytes  token\n"
            "   257      3  'abc'\n"
            "   256      2  'ab'\n"
            "\n"
            "text       'abc ab|\\nabc \u00E9'\n"
            "           14 bytes, 4 words, 9 tokens\n"
            "           1.56 bytes per token, 2.25 tokens per word\n"
            "\n"
            "tokens\n"
            "abc| |ab|\\||\\n|\n"
            "abc| |\\xc3|\\xa9\n"
            "\n"
            "ids\n"
            "257 32 256 124 10 257 32 195 169\n");
}

TEST_F(InspectTest, ATokenizerAsJson) {
  const Json all = json({"tiny.json", "--text", "abc", "--top", "1"});
  EXPECT_EQ(all.dump(),
            R"({"path":"tiny.json","kind":"bpe","pattern":"gpt2","nfc":false,"merges":2,)"
            R"("vocab_size":259,)"
            R"("special_tokens":{"bos_token_id":null,"eos_token_id":null,"pad_token_id":null,)"
            R"("unk_token_id":null},)"
            R"("added_tokens":[{"id":258,"text":"<|end|>","special":true}],)"
            R"("lengths":[{"bytes":1,"tokens":256},{"bytes":2,"tokens":1},{"bytes":3,"tokens":1}],)"
            R"("not_utf8":128,"not_utf8_share":0.49612403100775193,)"
            R"("longest":[{"id":257,"bytes":3,"text":"abc"}],)"
            R"("sample":{"text":"'abc'","bytes":3,"words":1,"tokens":1,"bytes_per_token":3.0,)"
            R"("tokens_per_word":1.0,"first_tokens":[{"id":257,"text":"abc"}]}})");
}

TEST_F(InspectTest, AFileOfWhichTheBeginningIsShown) {
  std::string text;
  for (int i = 0; i < 4000; ++i) text += "ab ";
  write("long.txt", text);
  const Json sample = *json({"tiny.json", "--file", "long.txt"}).find("sample");
  EXPECT_EQ(sample.find("bytes")->as_int("bytes"), 12000);
  EXPECT_EQ(sample.find("tokens")->as_int("tokens"), 8000);
  EXPECT_EQ(sample.find("words")->as_int("words"), 4000);
  const size_t shown = sample.find("first_tokens")->as_array("first_tokens").size();
  EXPECT_GE(shown, 2730u) << "4096 bytes";
  EXPECT_LE(shown, 2733u);
  write("empty.txt", "");
  EXPECT_TRUE(contains(run({"inspect", "tiny.json", "--file", "empty.txt"}).out,
                       "0 bytes, 0 words, 0 tokens\n"));
}

TEST_F(InspectTest, ShardsWithDocuments) {
  const ProcessResult result = run({"inspect", "tiny_*.bin", "--tokenizer", "tiny.json", "--eos-id",
                                    "258", "--top", "3", "--tokens", "4"});
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.out,
            "dataset    tiny_*.bin\n"
            "tokenizer  tiny.json\n"
            "           bpe, pattern gpt2, 259 tokens, 2 merges\n"
            "documents  end with each 258 '<|end|>'\n"
            "\n"
            "split   shards        tokens  documents         bytes  bytes/token  never occur\n"
            "shards       2            11          4            11        1.000"
            "          252 (97.3%)\n"
            "\n"
            "document lengths in tokens\n"
            "split         min    median       90%       99%       max       mean\n"
            "shards          2         2         4         4         4        2.8\n"
            "\n"
            "shards: documents by length in tokens\n"
            "    2-3       3   75.0%  ████████████████████████████████████████\n"
            "    4-7       1   25.0%  █████████████\n"
            "\n"
            "most frequent tokens of shards\n"
            "    id        count  shards  token\n"
            "   258            3   27.3%  '<|end|>'\n"
            "    32            2   18.2%  ' '\n"
            "    97            2   18.2%  'a'\n"
            "\n"
            "shards: the first 4 tokens\n"
            "abc| |<\\|end\\|>|ab\n");
}

TEST_F(InspectTest, ShardsOfWhichNothingIsKnown) {
  const std::string out = run({"inspect", "tiny_0.bin", "--top", "1"}).out;
  EXPECT_TRUE(contains(out, "tokenizer  unknown; --tokenizer can name it\n")) << out;
  EXPECT_TRUE(contains(out, "documents  begin and end unknown; --bos-id or --eos-id can tell\n"));
  EXPECT_TRUE(contains(out, "\nshards: the first 4 tokens\n257 32 258 256\n")) << out;
  const Json split = *json({"tiny_0.bin"}).find("splits")->find("shards");
  for (const char* unknown : {"documents", "bytes", "bytes_per_token", "document_lengths",
                              "never_occur", "never_occur_share"}) {
    EXPECT_TRUE(split.find(unknown)->is_null()) << unknown;
  }
}

TEST_F(InspectTest, APreparedDataset) {
  const Json all = json({"data"});
  EXPECT_EQ(all.find("warnings")->dump(), "[]");
  const Json summary = Json::parse(read("data/dataset.json"), "dataset.json");
  for (const char* split : {"train", "val"}) {
    for (const char* key : {"tokens", "bytes", "documents"}) {
      EXPECT_EQ(*all.find("splits")->find(split)->find(key), *summary.find(split)->find(key));
    }
  }
  const std::string out = run({"inspect", "data"}).out;
  EXPECT_EQ(run({"inspect", "data/dataset.json"}).out, out);
  EXPECT_EQ(out.find('\033'), std::string::npos);
  EXPECT_TRUE(contains(out, "train: the first 64 tokens\nL|a|m|a| |0| |z|o|g|")) << out;
}

TEST_F(InspectTest, AnotherTokenizerIsSaid) {
  const std::string out = run({"inspect", "data", "--tokenizer", "tiny.json"}).out;
  EXPECT_TRUE(contains(out, "warning    the shards were made with another tokenizer")) << out;
}

TEST_F(InspectTest, TheTokenizerOfAModelAndOfARun) {
  const std::string file = run({"inspect", "data/tokenizer.json", "--text", "Lama"}).out;
  for (const std::string& model : {std::string("run"), std::string(kCheckpoint)}) {
    const std::string out = run({"inspect", model, "--text", "Lama"}).out;
    EXPECT_EQ(out.substr(out.find('\n')), file.substr(file.find('\n')));
  }
}

TEST_F(InspectTest, Refusals) {
  write_tokens("wrong.bin", {1, 300}, 301);
  expect_failure({"inspect", "wrong.bin", "--tokenizer", "tiny.json"}, 1,
                 "wrong.bin at byte 1026: token id outside the vocabulary");
  expect_failure({"inspect", "nothing"}, 1, "nothing");
  expect_failure({"inspect", "nothing*.bin"}, 1, "no such file");
  expect_failure({"inspect", "text.txt"}, 1, "text.txt");
  expect_failure({"inspect", "data", "--text", "a"}, 2, "--text does not apply to a dataset");
  expect_failure({"inspect", "tiny.json", "--eos-id", "1"}, 2,
                 "--eos-id does not apply to a tokenizer");
  expect_failure({"inspect", "tiny.json", "--text", "a", "--file", "text.txt"}, 2, "one of them");
  expect_failure({"inspect"}, 2, "too few arguments");
}

}  // namespace
}  // namespace cria
