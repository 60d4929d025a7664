#include "inspect/tensor_comparison.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "io/gguf.h"
#include "io/llama2c.h"
#include "io/safetensors.h"
#include "support/file_tensor.h"
#include "support/files.h"
#include "support/random.h"
#include "support/threads.h"

namespace cria {
namespace {

using State = ComparedTensor::State;

TEST(TensorComparison, ByHand) {
  const TensorChange change = tensor_change(file_vector({3, 0, 4}), file_vector({3, 2, 0}));
  EXPECT_FALSE(change.identical);
  EXPECT_EQ(change.largest, 4);
  EXPECT_DOUBLE_EQ(change.relative(), std::sqrt(20.0) / 5);
  EXPECT_DOUBLE_EQ(change.cosine(), 9 / (5 * std::sqrt(13.0)));
}

TEST(TensorComparison, IdenticalMeansTheBits) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(tensor_change(file_vector({1, nan}), file_vector({1, nan})).identical);
  const TensorChange zeros = tensor_change(file_vector({0.0f}), file_vector({-0.0f}));
  EXPECT_FALSE(zeros.identical);
  EXPECT_EQ(zeros.relative(), 0);
  EXPECT_TRUE(std::isnan(zeros.cosine()));
}

TEST(TensorComparison, WhatIsNotFiniteIsLeftOut) {
  const float infinite = std::numeric_limits<float>::infinity();
  const TensorChange change =
      tensor_change(file_vector({infinite, 1, 2}), file_vector({infinite, 1, infinite}));
  EXPECT_FALSE(change.identical);
  EXPECT_EQ(change.not_finite, 2);
  EXPECT_EQ(change.largest, 0);
  EXPECT_EQ(change.cosine(), 1);
  EXPECT_TRUE(std::isinf(tensor_change(file_vector({0.0f}), file_vector({1.0f})).relative()));
}

TEST(TensorComparison, TheSameBitsWithAnyNumberOfThreads) {
  const int64_t size = 3 * 32768 + 77;
  const FileTensor a = file_vector(normal_values(size, "a"));
  const FileTensor b = file_vector(normal_values(size, "b"));
  TensorChange expected;
  for (const int threads : {1, 2, 3}) {
    const ThreadCount scope(threads);
    const TensorChange change = tensor_change(a, b);
    if (threads == 1) expected = change;
    EXPECT_EQ(change.largest, expected.largest);
    EXPECT_EQ(change.aa, expected.aa);
    EXPECT_EQ(change.bb, expected.bb);
    EXPECT_EQ(change.ab, expected.ab);
    EXPECT_EQ(change.difference_squares, expected.difference_squares);
  }
  EXPECT_TRUE(tensor_change(a, a).identical);
  EXPECT_EQ(tensor_change(a, a).cosine(), 1);
}

class FileComparisonTest : public testing::Test {
 public:
  std::string write(const std::string& name, const std::vector<TensorSource>& tensors) const {
    write_safetensors(directory_ / name, tensors);
    return directory_ / name;
  }

 protected:
  const TemporaryDirectory directory_;
};

TEST_F(FileComparisonTest, TensorByTensor) {
  const std::vector<float> one = {1}, two = {2, 2}, other = {2, 3};
  const TensorFile a(write("a", {{"same", ConstTensor(two.data(), {2})},
                                 {"changed", ConstTensor(two.data(), {2})},
                                 {"gone", ConstTensor(one.data(), {1})},
                                 {"shape", ConstTensor(one.data(), {1})}}));
  const TensorFile b(write("b", {{"same", ConstTensor(two.data(), {2}), NumberFormat::bf16},
                                 {"changed", ConstTensor(other.data(), {2})},
                                 {"new", ConstTensor(one.data(), {1})},
                                 {"shape", ConstTensor(two.data(), {2})}}));
  const FileComparison comparison = compare_files(a, b);
  EXPECT_FALSE(comparison.hugging_face_names);
  ASSERT_EQ(comparison.tensors.size(), 5u);
  const auto expect = [&](size_t i, const char* name, State state) {
    EXPECT_EQ(comparison.tensors[i].name, name);
    EXPECT_EQ(comparison.tensors[i].state, state) << name;
  };
  expect(0, "changed", State::compared);
  expect(1, "gone", State::only_in_a);
  expect(2, "same", State::compared);
  expect(3, "shape", State::other_shape);
  expect(4, "new", State::only_in_b);
  EXPECT_TRUE(comparison.tensors[2].change.identical) << "the numbers, in whatever format";
  EXPECT_EQ(comparison.tensors[0].change.largest, 1);
  EXPECT_DOUBLE_EQ(comparison.all.relative(), 1 / 4.0) << "over both that were compared";
}

// HF[h d + i] = Meta[h d + 2 i], HF[h d + d/2 + i] = Meta[h d + 2 i + 1], spelt out: with heads of
// 8, Meta's row of each of Hugging Face's.
TEST_F(FileComparisonTest, OtherFormatsByHuggingFaceNames) {
  constexpr int64_t kRows[] = {0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15};
  const std::vector<float> meta = normal_values(16 * 16, "meta"),
                           table = normal_values(48, "table");
  std::vector<float> hf(meta.size());
  for (size_t row = 0; row < 16; ++row) {
    std::copy_n(meta.begin() + 16 * kRows[row], 16, hf.begin() + 16 * static_cast<int64_t>(row));
  }
  const std::string query = "model.layers.0.self_attn.q_proj.weight";
  const TensorFile a(write("a", {{query, ConstTensor(hf.data(), {16, 16})},
                                 {"model.embed_tokens.weight", ConstTensor(table.data(), {3, 16})},
                                 {"model.norm.weight", ConstTensor(table.data(), {16})}}));

  const std::string gguf = directory_ / "b.gguf";
  write_gguf(gguf,
             {{"general.architecture", GgufValue(std::string("llama"))},
              {"llama.attention.head_count", GgufValue(uint32_t{2})}},
             {{"token_embd.weight", ConstTensor(table.data(), {3, 16})},
              {"blk.0.attn_q.weight", ConstTensor(meta.data(), {16, 16})},
              {"rope_freqs.weight", ConstTensor(table.data(), {4})},
              {"output_norm.weight", ConstTensor(table.data(), {16})}});
  const FileComparison of_gguf = compare_files(a, TensorFile(gguf));
  EXPECT_TRUE(of_gguf.hugging_face_names);
  EXPECT_TRUE(of_gguf.all.identical);
  ASSERT_EQ(of_gguf.tensors.size(), 4u);
  EXPECT_EQ(of_gguf.tensors[3].name, "rope_freqs.weight");
  EXPECT_EQ(of_gguf.tensors[3].state, State::only_in_b);

  const Llama2cHeader header = {.version = 1,
                                .dim = 16,
                                .hidden_dim = 3,
                                .layers = 1,
                                .heads = 2,
                                .kv_heads = 1,
                                .vocab_size = 3,
                                .sequence_length = 4};
  const std::string llama2c = directory_ / "b.bin";
  write_llama2c(llama2c, header, [&](const Llama2cTensor& tensor) {
    const bool small = tensor.role == Llama2cRole::embedding || is_norm(tensor.role);
    const std::vector<float>& values = small ? table : meta;
    return std::span(values).first(static_cast<size_t>(tensor.size()));
  });
  const FileComparison of_llama2c = compare_files(a, TensorFile(llama2c));
  int64_t compared = 0;
  for (const ComparedTensor& tensor : of_llama2c.tensors) {
    compared += tensor.state == State::compared;
  }
  EXPECT_EQ(compared, 3);
  EXPECT_TRUE(of_llama2c.all.identical);
  // Two of other formats, both with Meta's rows.
  EXPECT_TRUE(compare_files(TensorFile(gguf), TensorFile(llama2c)).all.identical);
}

}  // namespace
}  // namespace cria
