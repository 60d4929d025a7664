#include "inspect/parameter_counts.h"

#include <gtest/gtest.h>

#include "io/safetensors.h"
#include "support/files.h"

namespace cria {
namespace {

ParameterCounts counts_of(bool with_head, std::optional<bool> tied) {
  const TemporaryDirectory directory;
  const std::vector<float> zeros(6);
  std::vector<TensorSource> tensors = {
      {"model.embed_tokens.weight", ConstTensor(zeros.data(), {3, 2})},
      {"model.layers.0.self_attn.rotary_emb.inv_freq", ConstTensor(zeros.data(), {1})},
      {"model.norm.weight", ConstTensor(zeros.data(), {2}), NumberFormat::bf16}};
  if (with_head) tensors.push_back({"lm_head.weight", ConstTensor(zeros.data(), {3, 2})});
  write_safetensors(directory / "x", tensors);
  return parameter_counts(TensorFile(directory / "x"), tied);
}

TEST(ParameterCounts, Untied) {
  const ParameterCounts counts = counts_of(true, false);
  EXPECT_EQ(counts.total, 14);
  EXPECT_EQ(counts.embedding, 6);
  EXPECT_EQ(counts.head, 6);
  EXPECT_EQ(counts.saved_by_tying, 0);
  EXPECT_EQ(counts.bytes, 6u * 4 + 4 + 2 * 2 + 6 * 4) << "tables that are no parameters too";
  EXPECT_EQ(counts.dtypes, (std::map<std::string, int64_t>{{"BF16", 1}, {"F32", 3}}));
}

TEST(ParameterCounts, Tied) {
  for (const bool with_copy : {false, true}) {
    const ParameterCounts counts = counts_of(with_copy, true);
    EXPECT_EQ(counts.total, 8);
    EXPECT_EQ(counts.head, 0);
    EXPECT_EQ(counts.saved_by_tying, 6);
  }
}

TEST(ParameterCounts, AFileThatDoesNotSayIsNotTied) {
  const ParameterCounts counts = counts_of(false, std::nullopt);
  EXPECT_EQ(counts.total, 8);
  EXPECT_EQ(counts.saved_by_tying, 0);
}

}  // namespace
}  // namespace cria
