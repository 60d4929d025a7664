#include "exchange/tensor_file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "io/gguf.h"
#include "io/llama2c.h"
#include "io/safetensors.h"
#include "support/errors.h"
#include "support/file_tensor.h"
#include "support/files.h"

namespace cria {
namespace {

using Values = std::vector<float>;

class TensorFileTest : public testing::Test {
 public:
  std::string path(const std::string& name) const { return directory_ / name; }

  static Values read(const FileTensor& tensor, int64_t first, int64_t count) {
    Values values(static_cast<size_t>(count));
    tensor.read(first, count, values.data());
    return values;
  }

  // A model of llama2.c, of zeros.
  void write_zeros(const std::string& file, const Llama2cHeader& header) const {
    Values zeros;
    write_llama2c(file, header, [&](const Llama2cTensor& tensor) {
      zeros.resize(static_cast<size_t>(tensor.size()));
      return std::span<const float>(zeros);
    });
  }

  // [3, 2] of rows 0 1, 2 3, 4 5
  Values small = {0, 1, 2, 3, 4, 5};

 private:
  const TemporaryDirectory directory_;
};

TEST_F(TensorFileTest, Safetensors) {
  write_safetensors(path("model.safetensors"),
                    {{"w", ConstTensor(small.data(), {3, 2}), NumberFormat::bf16}});
  for (const std::string& name : {path("model.safetensors"), path("")}) {
    EXPECT_EQ(tensor_file_format(name), TensorFileFormat::safetensors);
    const TensorFile file(name);
    EXPECT_EQ(file.summary(), "safetensors");
    EXPECT_FALSE(file.tied().has_value());
    const FileTensor& w = file.require("w");
    EXPECT_EQ(w.dtype, "BF16");
    EXPECT_EQ(w.shape, (std::vector<int64_t>{3, 2}));
    EXPECT_EQ(w.size(), 6);
    EXPECT_EQ(w.bytes.size(), 12u);
    EXPECT_EQ(w.hugging_face_name, "w");
    EXPECT_EQ(read(w, 1, 4), (Values{1, 2, 3, 4}));
  }
  // What a file is, its content tells.
  std::filesystem::copy(path("model.safetensors"), path("renamed.gguf"));
  EXPECT_EQ(TensorFile(path("renamed.gguf")).format(), TensorFileFormat::safetensors);
}

// Any elements of Q8_0's blocks of 32.
TEST_F(TensorFileTest, Gguf) {
  Values values(64);
  for (size_t i = 0; i < 64; ++i) values[i] = static_cast<float>(i) - 31;
  values[31] = 127;  // so that the scale of both blocks is 1
  values[63] = -127;
  write_gguf(path("m"),
             {{"general.architecture", GgufValue(std::string("llama"))},
              {"llama.attention.head_count", GgufValue(uint32_t{4})},
              {"llama.attention.head_count_kv", GgufValue(uint32_t{2})}},
             {{"token_embd.weight", ConstTensor(values.data(), {2, 32}), NumberFormat::q8_0},
              {"blk.11.attn_k.bias", ConstTensor(values.data(), {32})},
              {"blk.11.ffn_norm.weight", ConstTensor(values.data(), {32})},
              {"blk.0.other.weight", ConstTensor(values.data(), {32})}});
  const TensorFile file(path("m"));
  EXPECT_EQ(file.summary(), "GGUF");
  EXPECT_EQ(file.tied(), true);
  const FileTensor& table = file.require("token_embd.weight");
  EXPECT_EQ(table.dtype, "Q8_0");
  EXPECT_EQ(table.bytes.size(), 68u);
  for (const auto& [first, count] : {std::pair{0, 64}, {30, 4}, {5, 1}, {32, 32}, {63, 1}}) {
    EXPECT_EQ(read(table, first, count),
              Values(values.begin() + first, values.begin() + first + count));
  }
  const FileTensor* const key = file.find_hugging_face("model.layers.11.self_attn.k_proj.bias");
  ASSERT_TRUE(key);
  EXPECT_EQ(key->interleaved_heads, 2);
  EXPECT_EQ(read(as_hugging_face(*key), 6, 4),
            (Values{values[12], values[14], values[1], values[3]}));
  EXPECT_TRUE(file.find_hugging_face("model.layers.11.post_attention_layernorm.weight"));
  EXPECT_EQ(file.require("blk.0.other.weight").hugging_face_name, "");
}

// Of another architecture, or without the keys, nothing is said of names and heads.
TEST_F(TensorFileTest, GgufWithoutTheKeysOfALlama) {
  const struct {
    const char* architecture;
    uint32_t heads, kv_heads;  // 0: no such key
    const char* name;
    int64_t q_heads, k_heads;
  } cases[] = {
      {"llama", 4, 2, "model.layers.0.self_attn.q_proj.weight", 4, 2},
      {"llama", 4, 0, "model.layers.0.self_attn.q_proj.weight", 4, 4},
      {"llama", 0, 2, "", 0, 0},
      {"gemma", 4, 2, "", 0, 0},
      {"", 4, 2, "", 0, 0},
  };
  const ConstTensor six(small.data(), {6});
  for (const auto& [architecture, heads, kv_heads, name, q_heads, k_heads] : cases) {
    GgufMetadata metadata;
    if (*architecture) metadata.emplace_back("general.architecture", std::string(architecture));
    if (heads > 0) metadata.emplace_back("llama.attention.head_count", heads);
    if (kv_heads > 0) metadata.emplace_back("llama.attention.head_count_kv", kv_heads);
    write_gguf(path("m"), metadata, {{"blk.0.attn_q.weight", six}, {"blk.0.attn_k.weight", six}});
    const TensorFile file(path("m"));
    const std::string what = std::string(architecture) + " " + std::to_string(heads);
    EXPECT_FALSE(file.tied().has_value()) << what << ": no table is there to be the head's";
    const FileTensor& query = file.require("blk.0.attn_q.weight");
    EXPECT_EQ(query.hugging_face_name, name) << what;
    EXPECT_EQ(query.interleaved_heads, q_heads) << what;
    EXPECT_EQ(file.require("blk.0.attn_k.weight").interleaved_heads, k_heads) << what;
  }
}

// Six rows are one head of six, in another order; no two heads or four are of pairs of rows.
TEST_F(TensorFileTest, RowsThatAreNoHeadsStayInTheirOrder) {
  FileTensor tensor = file_tensor(small, {6});
  const auto read_with = [&](int64_t heads) {
    tensor.interleaved_heads = heads;
    return read(as_hugging_face(tensor), 0, 6);
  };
  EXPECT_EQ(read_with(1), (Values{0, 2, 4, 1, 3, 5}));
  for (const int64_t heads : {int64_t{0}, int64_t{2}, int64_t{4}, INT64_MAX}) {
    EXPECT_EQ(read_with(heads), small) << heads;
  }
  EXPECT_EQ(read(as_hugging_face(file_tensor({7}, {})), 0, 1), Values{7});
  FileTensor integers = tensor;
  integers.interleaved_heads = 1;
  integers.read = {};
  EXPECT_FALSE(as_hugging_face(integers).read);
}

TEST_F(TensorFileTest, Llama2c) {
  for (const int version : {0, 1, 2}) {
    const Llama2cHeader header = {.version = version,
                                  .dim = 4,
                                  .hidden_dim = 8,
                                  .layers = 2,
                                  .heads = 2,
                                  .kv_heads = 1,
                                  .vocab_size = 5,
                                  .sequence_length = 3,
                                  .tied = false,
                                  .group_size = version == 2 ? 4 : 0};
    write_zeros(path("m.bin"), header);
    EXPECT_EQ(tensor_file_format(path("m.bin")), TensorFileFormat::llama2c);
    const TensorFile file(path("m.bin"));
    EXPECT_EQ(file.tied(), false);
    EXPECT_EQ(file.tensors().size(), 21u);
    const FileTensor& key = file.require("wk of layer 1");
    EXPECT_EQ(key.shape, (std::vector<int64_t>{2, 4}));
    EXPECT_EQ(key.hugging_face_name, "model.layers.1.self_attn.k_proj.weight");
    EXPECT_EQ(key.interleaved_heads, 1);
    EXPECT_EQ(key.dtype, version == 2 ? "Q8_0" : "F32");
    EXPECT_EQ(key.bytes.size(), version == 2 ? 8u + 2 * 4 : 32u);
    EXPECT_EQ(file.require("the final norm").shape, std::vector<int64_t>{4});
    EXPECT_EQ(file.require("w2 of layer 0").hugging_face_name,
              "model.layers.0.mlp.down_proj.weight");
    EXPECT_EQ(file.summary(), "llama2.c, version " + std::to_string(version) +
                                  (version == 2 ? ", groups of 4" : ""));
  }
}

TEST_F(TensorFileTest, AMatrixOfOneRowIsOne) {
  write_zeros(path("m.bin"), {.dim = 4,
                              .hidden_dim = 1,
                              .layers = 1,
                              .heads = 2,
                              .kv_heads = 2,
                              .vocab_size = 3,
                              .sequence_length = 3});
  EXPECT_EQ(TensorFile(path("m.bin")).require("w1 of layer 0").shape, (std::vector<int64_t>{1, 4}));
}

// Offsets beyond 32 bits: 5 GB, of which the disk has only the beginning and the end.
TEST_F(TensorFileTest, LargeFiles) {
  constexpr int64_t kLarge = int64_t{5} << 30;
  std::string header =
      R"({"large":{"dtype":"F32","shape":[1310720,1024],"data_offsets":[0,5368709120]},)"
      R"("small":{"dtype":"F32","shape":[2],"data_offsets":[5368709120,5368709128]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string begin;
  for (int i = 0; i < 8; ++i) begin += static_cast<char>(header.size() >> 8 * i);
  write_quickly(path("large.safetensors"), begin + header);
  const int64_t data = static_cast<int64_t>(8 + header.size());
  std::filesystem::resize_file(path("large.safetensors"), static_cast<size_t>(data + kLarge + 8));
  {
    std::fstream file(path("large.safetensors"), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(data + kLarge);
    const float values[] = {7, 8};
    file.write(reinterpret_cast<const char*>(values), sizeof values);
  }
  const TensorFile file(path("large.safetensors"));
  EXPECT_EQ(file.require("large").bytes.size(), static_cast<size_t>(kLarge));
  EXPECT_EQ(read(file.require("small"), 0, 2), (Values{7, 8}));
  EXPECT_EQ(read(file.require("large"), (kLarge >> 2) - 2, 2), (Values{0, 0}));
}

TEST_F(TensorFileTest, Errors) {
  write_quickly(path("text"), "Once upon a time, there was a girl.");
  EXPECT_FALSE(tensor_file_format(path("text")).has_value());
  EXPECT_FALSE(tensor_file_format(path("nothing")).has_value());
  for (const std::string& bytes : {std::string("abcdefgh{}"), std::string(64, '\0')}) {
    write_quickly(path("bytes"), bytes);
    EXPECT_FALSE(tensor_file_format(path("bytes")).has_value()) << bytes;
  }
  EXPECT_EQ(error_of([&] { TensorFile(path("text")); }),
            path("text") +
                ": not a file of tensors\n"
                "  expected: safetensors, GGUF or a model of llama2.c\n"
                "  got: a file that begins with 'Once upo'");
  EXPECT_EQ(error_of([&] { TensorFile(path("")); }),
            path("") +
                ": no weights here\n"
                "  expected: model.safetensors or model.safetensors.index.json\n"
                "  got: neither");
  EXPECT_NE(error_of([&] { TensorFile(path("nothing")); }).find("No such file"), std::string::npos);
  write_safetensors(path("model.safetensors"), {{"weight", ConstTensor(small.data(), {3, 2})}});
  EXPECT_EQ(error_of([&] { TensorFile(path("model.safetensors")).require("wieght"); }),
            path("model.safetensors") +
                ": no such tensor\n"
                "  got: 'wieght'\n"
                "  hint: did you mean 'weight'?");
}

}  // namespace
}  // namespace cria
