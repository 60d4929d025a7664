// cria inspect on models and other files of tensors.
#include <gtest/gtest.h>

#include <limits>

#include "cria/base/json.h"
#include "io/safetensors.h"
#include "support/cli.h"

namespace cria {
namespace {

class InspectModelTest : public CliTest {
 public:
  void SetUp() override {
    CliTest::SetUp();
    if (IsSkipped()) return;
    write_safetensors(
        path("a.safetensors"),
        {{"model.embed_tokens.weight", ConstTensor(table_.data(), {4, 2})},
         {"model.layers.0.mlp.up_proj.weight", ConstTensor(odd_.data(), {2, 2})},
         {"model.layers.0.norm", ConstTensor(table_.data(), {2}), NumberFormat::f16}});
    write_safetensors(path("b.safetensors"),
                      {{"model.embed_tokens.weight", ConstTensor(other_.data(), {4, 2})},
                       {"model.layers.0.norm", ConstTensor(table_.data(), {2})},
                       {"extra", ConstTensor(table_.data(), {1})}});
  }

  Json json(Arguments arguments) const {
    arguments.insert(arguments.begin(), "inspect");
    arguments.push_back("--json");
    return Json::parse(run(arguments).out, "standard output");
  }

  void expect_failure(const Arguments& arguments, int code, const std::string& part) const {
    const ProcessResult result = cria(arguments);
    EXPECT_EQ(result.exit_code, code) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_TRUE(contains(result.err, part)) << part << " is not in:\n" << result.err;
  }

 private:
  const std::vector<float> table_ = {1, 0, 1, 1, 0, 2, -1, 0};
  const std::vector<float> other_ = {1, 0, 1, 1, 0, 2, -1, 2};
  const std::vector<float> odd_ = {std::numeric_limits<float>::quiet_NaN(),
                                   std::numeric_limits<float>::infinity(), 0, 3};
};

TEST_F(InspectModelTest, AFile) {
  const ProcessResult result = run({"inspect", "a.safetensors"});
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.out,
            "file       a.safetensors\n"
            "tensors    3, 1 F16, 2 F32, 52 bytes, safetensors\n"
            "parameters 14\n"
            "           8 embedding, 6 without embedding\n"
            "not finite 1 NaN and 1 infinite in 1 tensor\n"
            "\n"
            "tensor                     shape   dtype  mean    std  min  max  norm  zeros  NaN\n"
            "model.embed_tokens.weight  [4, 2]  F32     0.5  0.866   -1    2  2.83  37.5%    0\n"
            "model.layers.0\n"
            "  mlp.up_proj.weight       [2, 2]  F32     1.5    1.5    0    3     3  25.0%    1\n"
            "    and 1 infinite\n"
            "  norm                     [2]     F16     0.5    0.5    0    1     1  50.0%    0\n");
}

TEST_F(InspectModelTest, AFileAsJson) {
  const Json all = json({"a.safetensors", "--histogram"});
  EXPECT_EQ(all.find("parameters")->dump(),
            R"({"total":14,"embedding":8,"without_embedding":6,"head":0,"saved_by_tying":0})");
  EXPECT_EQ(all.find("dtypes")->dump(), R"({"F16":1,"F32":2})");
  const Json odd = all.find("tensors")->as_array("tensors").at(1);
  EXPECT_EQ(odd.find("statistics")->dump(),
            R"({"count":4,"mean":1.5,"std":1.5,"min":0.0,"max":3.0,"norm":3.0,"zeros":1,)"
            R"("nan":1,"infinite":1})");
  EXPECT_EQ(odd.find("histogram")->find("counts")->as_array("counts").size(), 24u);
}

// An index beside its files, from the directory where they are.
TEST_F(InspectModelTest, AFileInParts) {
  std::filesystem::rename(path("a.safetensors"), path("part.safetensors"));
  const std::string index = "model.safetensors.index.json", rest = R"(norm":"part.safetensors"}})";
  write(index, R"({"weight_map":{"model.layers.0.)" + rest);
  EXPECT_TRUE(contains(run({"inspect", index}).out, "tensors    3, 1 F16, 2 F32, 52 bytes"));
  write(index, R"({"weight_map":{"model.layers.1.)" + rest);
  expect_failure({"inspect", index}, 1,
                 index +
                     ": weight_map: the tensor is not where the index says\n"
                     "  expected: part.safetensors: tensor 'model.layers.1.norm'\n"
                     "  got: nowhere");
}

TEST_F(InspectModelTest, ARun) {
  const std::string out = run({"inspect", "run"}).out;
  EXPECT_TRUE(
      out.starts_with("model      run/checkpoints/step-00000004\n"
                      "           1 layer, hidden 16, 2 heads of 8, 2 kv, mlp 24, "
                      "vocabulary "))
      << out;
  EXPECT_TRUE(contains(out, "\ntokenizer  chars, ")) << out;
  EXPECT_TRUE(contains(out, " without embedding, ")) << out;
  EXPECT_TRUE(contains(out, " of these head\n")) << out;
  EXPECT_TRUE(contains(out, "\nnot finite none\n")) << out;
  EXPECT_TRUE(contains(out, "\nmodel.layers.0\n  input_layernorm.weight ")) << out;
  size_t begin = 0, end = 0;
  for (; (end = out.find('\n', begin)) != out.npos; begin = end + 1) EXPECT_LE(end - begin, 100u);
  EXPECT_EQ(run({"inspect", kCheckpoint}).out, out);
  EXPECT_TRUE(contains(run({"inspect", "run", "--histogram"}).out, "█"));
}

TEST_F(InspectModelTest, NumbersOfATensor) {
  EXPECT_EQ(run({"inspect", "a.safetensors", "--tensor", "model.embed_tokens.weight", "--rows",
                 "1:3", "--columns", "1"})
                .out,
            "tensor     model.embed_tokens.weight\n"
            "           [4, 2] F32\n"
            "\n"
            "     row           1\n"
            "       1           1\n"
            "       2           2\n");
  EXPECT_EQ(json({"a.safetensors", "--tensor", "model.layers.0.norm"}).dump(),
            R"({"name":"model.layers.0.norm","shape":[2],"dtype":"F16","bytes":4,)"
            R"("columns":[0,1],"rows":[{"row":0,"values":[1.0]},{"row":1,"values":[0.0]}]})");
  // The first character of the texts is their line's end.
  const std::string rows =
      run({"inspect", "run", "--tensor", "model.embed_tokens.weight", "--rows", ":2"}).out;
  EXPECT_TRUE(contains(rows, "\n       0  '\\n'             ")) << rows;
  EXPECT_TRUE(contains(rows, "\n       1  ' '              ")) << rows;
}

TEST_F(InspectModelTest, AHistogram) {
  const std::string out = run({"inspect", "a.safetensors", "--tensor",
                               "model.layers.0.mlp.up_proj.weight", "--histogram"})
                              .out;
  EXPECT_TRUE(contains(out, "mean 1.5, std 1.5, min 0, max 3, norm 3\n")) << out;
  EXPECT_TRUE(contains(out, "4 numbers: 1 zero, 1 NaN, 1 infinite\n")) << out;
  EXPECT_TRUE(contains(out, "\n      0       1   50.0%  ██████")) << out;
}

TEST_F(InspectModelTest, Neighbors) {
  EXPECT_EQ(run({"inspect", "a.safetensors", "--neighbors", "id:0", "--top", "2", "--tokenizer",
                 "data/tokenizer.json"})
                .out,
            "token      0  '\\n'\n"
            "\n"
            "nearest in model.embed_tokens.weight\n"
            "    id   cosine  token\n"
            "     1   0.7071  ' '\n"
            "     2   0.0000  '.'\n");
  const Json both = json({"run", "--neighbors", "a", "--top", "3"});
  ASSERT_EQ(both.find("neighbors")->as_array("neighbors").size(), 2u) << "the head is its own";
  EXPECT_EQ(both.find("text")->as_string("text"), "a");
  expect_failure({"inspect", "run", "--neighbors", "La"}, 1, "not one token");
  expect_failure({"inspect", "run", "--neighbors", "La"}, 1, "'La': 'L' (id:");
  expect_failure({"inspect", "run", "--neighbors", "id:999"}, 1, "no such row");
  expect_failure({"inspect", "a.safetensors", "--neighbors", "a"}, 1, "there is none here");
}

TEST_F(InspectModelTest, Differences) {
  EXPECT_EQ(run({"inspect", "a.safetensors", "--diff", "b.safetensors"}).out,
            "first      a.safetensors\n"
            "second     b.safetensors\n"
            "tensors    2 compared: 1 changed, 1 identical; 2 others\n"
            "together   max |a-b| 2, |a-b|/|a| 0.667, cosine 0.832050\n"
            "\n"
            "tensor                     shape     max |a-b|  |a-b|/|a|    cosine\n"
            "model.embed_tokens.weight  [4, 2]            2      0.707  0.816497\n"
            "model.layers.0\n"
            "  mlp.up_proj.weight       [2, 2]   first only\n"
            "  norm                     [2]       identical\n"
            "extra                      [1]     second only\n");
  const Json same = json({"run", "--diff", kCheckpoint});
  EXPECT_TRUE(same.find("all")->find("identical")->as_bool("identical"));
}

TEST_F(InspectModelTest, Diagnostics) {
  const Arguments arguments = {"inspect", "run", "--diagnostics", "--data", "data/val_*.bin"};
  const std::string out = run(arguments).out;
  for (const char* const part : {"\nspikes     0 in 4 steps\n", "\ntables ", "\nisotropy, centred ",
                                 "\nbetween the two: ", "\n1, most frequent ", "\nfrom the lookup ",
                                 "\nlogits, 128 positions ", "\n0 ", "\nlm_head "}) {
    EXPECT_TRUE(contains(out, part)) << part << "is not in:\n" << out;
  }
  for (size_t begin = 0, end; (end = out.find('\n', begin)) != out.npos; begin = end + 1) {
    EXPECT_LE(end - begin, 80u) << out.substr(begin, end - begin);
  }
  const Json got = json({"run", "--diagnostics", "--data", "data/val_*.bin", "--sequences", "2"});
  EXPECT_EQ(got.find("sequences")->as_int("sequences"), 2);
  EXPECT_EQ(got.find("sequence_length")->as_int("length"), 8);
  EXPECT_DOUBLE_EQ(got.find("loss")->as_double("loss") - got.find("ln_v")->as_double("ln_v"),
                   got.find("diag_loss/over_ln_v")->as_double("over"));
  for (const char* const key :
       {"diag_table_gradient/head_share_l2", "diag_head/effective_rank", "diag_alignment/cosine",
        "diag_logits/self", "diag_attention_max/layers.0", "diag_lens_kl/layers.0",
        "diag_gradient_norm/layers.0.mlp", "diag_spikes/count", "ids_not_in_data"}) {
    EXPECT_TRUE(got.find(key)) << key;
  }
}

TEST_F(InspectModelTest, DiagnosticsRefused) {
  expect_failure({"inspect", "run", "--diagnostics"}, 2, "--diagnostics of which data?");
  expect_failure({"inspect", "run", "--data", "data/val_*.bin"}, 2, "--data of what?");
  expect_failure({"inspect", "run", "--diagnostics", "--diff", "run"}, 2, "more than one thing");
  const auto failure = [&](const Arguments& more, int code, const std::string& part) {
    Arguments arguments = {"inspect", "run", "--diagnostics", "--data", "data/val_*.bin"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    expect_failure(arguments, code, part);
  };
  failure({"--sequences", "0"}, 2, "--sequences");
  failure({"--data", "none_*.bin"}, 2, "--data is given twice");
  expect_failure({"inspect", "run", "--diagnostics", "--data", "none_*.bin"}, 1, "none_*.bin");
  failure({"--shard-format", "raw_uint"}, 2, "--shard-format");
  expect_failure({"inspect", "a.safetensors", "--diagnostics", "--data", "data/val_*.bin"}, 1,
                 "no model here");
}

TEST_F(InspectModelTest, Refusals) {
  const auto rows = [](const std::string& range) {
    return Arguments{"inspect", "a.safetensors", "--tensor", "model.layers.0.norm", "--rows",
                     range};
  };
  expect_failure(rows("x"), 2, "invalid value of --rows");
  expect_failure(rows("1:1:1"), 2, "invalid value of --rows");
  expect_failure(rows("-1:"), 2, "invalid value of --rows");
  expect_failure(rows("9223372036854775807"), 2, "invalid value of --rows");
  expect_failure(rows("0:3"), 1, "no such rows\n  expected: 0:2 or a part of it\n  got: '0:3'");
  expect_failure(rows("1:1"), 1, "no such rows");
  expect_failure({"inspect", "run", "--rows", "1"}, 2,
                 "--rows needs --tensor NAME, and no --histogram");
  expect_failure({"inspect", "run", "--diff", "run", "--tensor", "x"}, 2, "more than one thing");
  expect_failure({"inspect", "run", "--tensor", "lm_haed.weight"}, 1,
                 "did you mean 'lm_head.weight'?");
  expect_failure({"inspect", "run", "--eos-id", "1"}, 2, "--eos-id does not apply to a model");
  expect_failure({"inspect", "data/tokenizer.json", "--tensor", "x"}, 2,
                 "--tensor does not apply to a tokenizer");
  cut("a.safetensors", 1);
  expect_failure({"inspect", "a.safetensors"}, 1, "is the file cut off?");
}

}  // namespace
}  // namespace cria
