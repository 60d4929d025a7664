// cria export as a user meets it.
#include <gtest/gtest.h>

#include "cria/base/json.h"
#include "cria/exchange/load_model.h"
#include "support/cli.h"
#include "support/compare.h"

namespace cria {
namespace {

class ExportTest : public CliTest {
 protected:
  // What the command says of files is what is there.
  Json export_json(const Arguments& arguments) {
    Arguments all = {"export", "run"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    all.push_back("--json");
    const Json json = Json::parse(run(all).out, "stdout");
    const std::string out = json.find("path")->as_string("path");
    uint64_t bytes = 0;
    for (const Json& each : json.find("files")->as_array("files")) {
      const std::string name = each.find("name")->as_string("name");
      const std::string file = std::filesystem::is_directory(path(out)) ? out + "/" + name : out;
      EXPECT_EQ(each.find("bytes")->as_int("bytes"), static_cast<int64_t>(read(file).size()));
      bytes += read(file).size();
    }
    EXPECT_EQ(json.find("bytes")->as_int("bytes"), static_cast<int64_t>(bytes));
    EXPECT_EQ(json.find("model")->as_string("model"), kCheckpoint);
    return json;
  }

  std::string checkpoint_file(const std::string& name) const {
    return read(std::string(kCheckpoint) + "/" + name);
  }
};

TEST_F(ExportTest, HuggingFaceDirectory) {
  const Json json = export_json({"--to", "hf", "-o", "made/hf"});
  EXPECT_EQ(*json.find("dtype"), Json("F32"));
  EXPECT_EQ(json.find("files")->as_array("files").size(), 6u);
  // What a checkpoint is already, without what only cria needs.
  for (const char* const name : {"config.json", "generation_config.json", "model.safetensors",
                                 "tokenizer.json", "tokenizer_config.json"}) {
    EXPECT_TRUE(read(std::string("made/hf/") + name) == checkpoint_file(name)) << name;
  }
  EXPECT_FALSE(exists(path("made/hf/trainer.json")));
  const Json half = export_json({"--to", "hf", "-o", "half", "--dtype", "bf16"});
  EXPECT_EQ(*half.find("dtype"), Json("BF16"));
  EXPECT_LT(read("half/model.safetensors").size(), checkpoint_file("model.safetensors").size());
  // Every command takes it.
  run({"eval", "half", "--data", kValShard, "--batches", "1"});
  EXPECT_EQ(run({"generate", "made/hf", "--prompt", "L", "--max-new-tokens", "5"}).out,
            run({"generate", "run", "--prompt", "L", "--max-new-tokens", "5"}).out);
  run({"export", "half", "--to", "hf", "--dtype", "bf16", "-o", "again"});
  EXPECT_TRUE(read("again/model.safetensors") == read("half/model.safetensors"));
}

TEST_F(ExportTest, Arrays) {
  const size_t tensors = load_model(path("run")).model->parameters().slots().size();
  EXPECT_EQ(export_json({"--to", "npy", "-o", "npy"}).find("files")->as_array("files").size(),
            tensors);
  EXPECT_TRUE(read("npy/model.norm.weight.npy").starts_with("\x93NUMPY"));
  EXPECT_EQ(export_json({"--to", "npz", "-o", "w.npz"}).find("files")->as_array("files").size(),
            1u);
  EXPECT_TRUE(read("w.npz").starts_with("PK"));
  EXPECT_EQ(export_json({"--to", "tsv", "-o", "tsv"}).find("files")->as_array("files").size(), 3u);
  EXPECT_TRUE(read("tsv/metadata.tsv").starts_with("token\tid\n'\\n'\t0\n"));
  run({"export", "run", "--to", "tsv", "--tensor", "model.layers.0.mlp.up_proj.weight", "-o", "t"});
  EXPECT_TRUE(read("t/metadata.tsv").starts_with("0\n1\n"));
}

TEST_F(ExportTest, RefusesBeforeItWrites) {
  run({"train", "tiny.toml", "model.position='alibi'", "train.output_dir='other'"});
  write("taken", "");
  const auto before = files();
  const std::vector<std::pair<Arguments, std::string>> cases = {
      {{"other", "--to", "hf", "-o", "x"},
       "cria: error: other/checkpoints/step-00000004: model.position: other programs do not "
       "know this as a Llama\n  expected: \"rope\"\n  got: \"alibi\""},
      {{"run", "--to", "hf", "-o", "taken"}, "cria: error: taken: exists already"},
      {{"run", "--to", "npz", "-o", "taken"}, "cria: error: taken: exists already"},
      {{"run", "--to", "tsv", "-o", "x", "--tensor", "model.norm.weight"},
       "cria: error: tensor 'model.norm.weight': not a matrix"},
      {{"missing", "--to", "npz", "-o", "x"}, "cria: error: missing: no model here"},
  };
  for (const auto& [rest, message] : cases) {
    Arguments arguments = {"export"};
    arguments.insert(arguments.end(), rest.begin(), rest.end());
    const ProcessResult result = cria(arguments);
    EXPECT_EQ(result.exit_code, 1) << message;
    EXPECT_TRUE(result.err.starts_with(message)) << result.err;
  }
  EXPECT_EQ(files(), before);
  run({"export", "other", "--to", "npz", "-o", "x.npz"});
}

}  // namespace
}  // namespace cria
