// Weights as arrays: every tensor once, bit for bit.
#include "exchange/arrays.h"

#include <gtest/gtest.h>

#include <limits>

#include "cria/base/file.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "io/npy.h"
#include "io/npz.h"
#include "support/compare.h"
#include "support/errors.h"
#include "support/files.h"
#include "support/stored_zip.h"
#include "support/tiny_model.h"

namespace cria {
namespace {

class ArraysTest : public testing::Test {
 protected:
  ArraysTest() : model_(config()) { model_.initialize(1); }

  // An encoding that no Llama has: arrays can say it.
  static ModelConfig config() { return position_config("t5", 2, true); }

  void expect_equal(const NpyArray& array, const Parameter& slot) {
    const ConstTensor& value = slot.value;
    EXPECT_EQ(array.shape,
              std::vector<int64_t>(value.shape.begin(), value.shape.begin() + value.rank));
    EXPECT_TRUE(same_bits(array.values, std::vector<float>(value.data, value.data + value.size())))
        << slot.name;
  }

  Llama model_;
  TemporaryDirectory directory_;
};

TEST_F(ArraysTest, OneFileForEachTensor) {
  const std::string path = directory_ / "arrays";
  write_npy_directory(path, model_);
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path)) files += entry.exists();
  EXPECT_EQ(files, model_.parameters().slots().size());
  for (const Parameter& slot : model_.parameters().slots()) {
    expect_equal(read_npy(join_path(path, slot.name + ".npy")), slot);
  }
  EXPECT_NE(error_of([&] { write_npy_directory(path, model_); }).find("exists already"),
            std::string::npos);
}

TEST_F(ArraysTest, AllInOneFile) {
  const std::string path = directory_ / "arrays.npz";
  write_npz(path, model_);
  const std::string bytes = read_file(path);
  const auto members = stored_members(bytes);
  EXPECT_EQ(members.size(), model_.parameters().slots().size());
  for (const Parameter& slot : model_.parameters().slots()) {
    write_quickly(directory_ / "array.npy", std::string(members.at(slot.name + ".npy").data));
    expect_equal(read_npy(directory_ / "array.npy"), slot);
  }
}

TEST_F(ArraysTest, ProjectorKnowsTheTokens) {
  const auto tokenizer = with_special_tokens(make_char_tokenizer({'\n', ' ', 'a'}), {}, "<s>");
  const std::string path = directory_ / "tsv";
  write_projector_directory(path, model_, tokenizer.get(), "model.embed_tokens.weight");
  const std::string labels = read_file(join_path(path, "metadata.tsv"));
  EXPECT_TRUE(labels.starts_with("token\tid\n'\\n'\t0\n' '\t1\na\t2\n<s>\t3\n'no token'\t4\n"))
      << labels.substr(0, 80);
  EXPECT_EQ(std::ranges::count(labels, '\n'), 38);
  const std::string vectors = read_file(join_path(path, "vectors.tsv"));
  EXPECT_EQ(std::ranges::count(vectors, '\n'), 37);
  const ConstTensor& table = model_.embed_tokens().weight->value;
  EXPECT_EQ(std::strtof(vectors.c_str(), nullptr), table(0, 0));
  const std::string config = read_file(join_path(path, "projector_config.pbtxt"));
  for (const char* const part : {"model.embed_tokens.weight", "vectors.tsv", "metadata.tsv"}) {
    EXPECT_NE(config.find(part), std::string::npos) << part;
  }
}

TEST_F(ArraysTest, ProjectorOfAnyMatrix) {
  const std::string path = directory_ / "tsv", name = "model.layers.1.mlp.up_proj.weight";
  write_projector_directory(path, model_, nullptr, name);
  EXPECT_TRUE(read_file(join_path(path, "metadata.tsv")).starts_with("0\n1\n2\n"));
  EXPECT_EQ(std::ranges::count(read_file(join_path(path, "vectors.tsv")), '\n'), 40);
}

TEST_F(ArraysTest, ProjectorRefusesAndLeavesNothing) {
  const std::string path = directory_ / "tsv";
  const auto error = [&](const std::string& tensor) {
    return error_of([&] { write_projector_directory(path, model_, nullptr, tensor); });
  };
  EXPECT_NE(error("model.embed_token.weight").find("did you mean 'model.embed_tokens.weight'"),
            std::string::npos);
  EXPECT_NE(error("model.norm.weight").find("not a matrix"), std::string::npos);
  model_.parameters().slots().front().mutable_value().data[5] =
      std::numeric_limits<float>::quiet_NaN();
  EXPECT_NE(error("lm_head.weight"), "");
  EXPECT_TRUE(directory_.names().empty());
}

}  // namespace
}  // namespace cria
