// cria export to GGUF and llama2.c, and cria import from them.
#include <gtest/gtest.h>

#include "cria/base/json.h"
#include "support/cli.h"

namespace cria {
namespace {

class ImportTest : public CliTest {
 public:
  std::string weights(const std::string& directory) const {
    return read(directory + "/model.safetensors");
  }

  std::string greedy(const std::string& model) const {
    return run({"generate", model, "--prompt", "Lama", "--temperature", "0", "--max-new-tokens",
                "12"})
        .out;
  }

  void expect_failure(const Arguments& arguments, int code, const std::string& part) const {
    const auto before = files();
    const ProcessResult result = cria(arguments);
    EXPECT_EQ(result.exit_code, code) << result.err;
    EXPECT_TRUE(contains(result.err, part)) << part << " is not in:\n" << result.err;
    EXPECT_EQ(files(), before);
  }
};

TEST_F(ImportTest, GgufThereAndBack) {
  run({"export", "run", "--to", "gguf", "-o", "model.gguf"});
  const ProcessResult result = run({"import", "model.gguf", "-o", "back", "--json"});
  const Json json = Json::parse(result.out, "standard output");
  EXPECT_EQ(json.find("format")->as_string(""), "gguf");
  EXPECT_EQ(json.find("tokenizer")->as_string(""), "chars");
  EXPECT_EQ(weights("back"), weights(kCheckpoint));
  EXPECT_EQ(read("back/tokenizer.json"), read(std::string(kCheckpoint) + "/tokenizer.json"));
  EXPECT_EQ(greedy("back"), greedy("run"));
  run({"import", "model.gguf", "-o", "bare", "--no-tokenizer", "--dtype", "bf16"});
  EXPECT_FALSE(exists(path("bare/tokenizer.json")));
  EXPECT_LT(weights("bare").size(), weights("back").size());
}

TEST_F(ImportTest, Llama2cThereAndBack) {
  for (const std::string version : {"0", "1", "2"}) {
    std::filesystem::create_directory(path("v" + version));
    const std::string file = "v" + version + "/model.bin", back = "back" + version;
    run({"export", "run", "--to", "llama2c", "--version", version, "-o", file});
    EXPECT_TRUE(exists(path("v" + version + "/tokenizer.bin")));
    const ProcessResult result = run({"import", file, "-o", back});
    EXPECT_TRUE(contains(result.out, "llama2c")) << result.out;
    EXPECT_TRUE(contains(result.out, "tokenizer none")) << result.out;
    // Three rows more: what run.c's programs begin and end with.
    EXPECT_TRUE(contains(result.err, "tokenizer.bin is not of SentencePiece's kind")) << result.err;
  }
  EXPECT_EQ(weights("back0"), weights("back1"));
  EXPECT_NE(weights("back0"), weights("back2"));
}

TEST_F(ImportTest, ExportLeavesNothingBehindItsErrors) {
  write("tokenizer.bin", "another model's");
  expect_failure({"export", "run", "--to", "llama2c", "-o", "model.bin"}, 1, "tokenizer.bin");
  expect_failure({"export", "run", "--to", "gguf", "--version", "1", "-o", "x"}, 2, "llama2c");
  expect_failure({"export", "run", "--to", "llama2c", "--version", "3", "-o", "x"}, 2, "version");
  expect_failure({"export", "run", "--to", "gguf", "--dtype", "q4_0", "-o", "x"}, 2, "q8_0");
}

TEST_F(ImportTest, AnExportThatWasKilledIsDoneAgain) {
  const Arguments arguments = {"export", "run", "--to", "llama2c", "-o", "model.bin"};
  run(arguments);
  const std::string model = read("model.bin"), vocabulary = read("tokenizer.bin");
  std::filesystem::remove(path("model.bin"));
  write("model.bin.77.tmp", "half of it");
  run(arguments);
  EXPECT_EQ(read("model.bin"), model);
  EXPECT_EQ(read("tokenizer.bin"), vocabulary);
  EXPECT_FALSE(exists(path("model.bin.77.tmp")));
}

TEST_F(ImportTest, NamesWhatItFound) {
  run({"export", "run", "--to", "gguf", "-o", "model.gguf"});
  const std::string weights = std::string(kCheckpoint) + "/model.safetensors";
  expect_failure({"import", "model.gguf"}, 2, "-o MODEL");
  expect_failure({"import", "missing.gguf", "-o", "x"}, 1, "missing.gguf");
  expect_failure({"import", "model.gguf", "-o", "run"}, 1, "run");
  expect_failure({"import", kCheckpoint, "-o", "x"}, 1, "a model directory");
  expect_failure({"import", weights, "-o", "x"}, 1, "safetensors");
  expect_failure({"import", "text.txt", "-o", "x"}, 1, "'Lama 0");
  write("pickle.pt", "PK\x03\x04 and so on");
  expect_failure({"import", "pickle.pt", "-o", "x"}, 1, "pickle");
  write("empty", "");
  expect_failure({"import", "empty", "-o", "x"}, 1, "empty");
  cut("model.gguf", 100);
  expect_failure({"import", "model.gguf", "-o", "x"}, 1, "model.gguf");
}

}  // namespace
}  // namespace cria
