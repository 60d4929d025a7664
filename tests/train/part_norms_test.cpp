#include "train/part_norms.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "support/threads.h"
#include "support/tiny_model.h"

namespace cria {
namespace {

using Names = std::vector<std::string>;

Names part_names(const ModelConfig& config) {
  const Llama model(config);
  const std::vector<double> squares(model.parameters().slots().size());
  Names names;
  for (const PartNorms& part : part_norms(model.parameters(), squares, {}, squares))
    names.push_back(part.part);
  return names;
}

TEST(PartNorms, PartsOfAModel) {
  ModelConfig config = tiny_config();
  config.attention_bias = config.mlp_bias = true;
  EXPECT_EQ(part_names(config),
            (Names{"embed_tokens", "layers.0.norms", "layers.0.self_attn", "layers.0.mlp",
                   "layers.1.norms", "layers.1.self_attn", "layers.1.mlp", "norm", "lm_head"}));
  config.tie_word_embeddings = true;
  EXPECT_EQ(part_names(config).back(), "norm");
  config.embedding_norm = true;
  EXPECT_EQ(part_names(config)[1], "embed_norm");
  EXPECT_EQ(part_names(position_config("deberta", 2, true))[1], "rel_embeddings");
  EXPECT_EQ(part_names(position_config("transformer_xl", 2, true)).size(), 10u);
}

// Against the plain sums, over more than one piece; the same bits for any number of threads.
TEST(PartNorms, AreTheNorms) {
  ModelConfig config = tiny_config();
  config.vocab_size = 6000;
  Llama model(config);
  model.initialize(1);
  std::vector<double> squares(model.parameters().slots().size());
  std::iota(squares.begin(), squares.end(), 1.0);
  std::vector<PartNorms> first;
  for (const int threads : {1, 2, 3}) {
    const ThreadCount scope(threads);
    const std::vector<double> weights =
        slot_squares(model.parameters(), model.parameters().value());
    const std::vector<PartNorms> parts = part_norms(model.parameters(), weights, squares, squares);
    if (threads == 1) first = parts;
    for (size_t i = 0; i < parts.size(); ++i) {
      EXPECT_EQ(parts[i].weight, first[i].weight) << parts[i].part;
      double weight = 0, update = 0;
      for (size_t slot = 0; slot < squares.size(); ++slot) {
        const Parameter& p = model.parameters().slots()[slot];
        if (part_name(p) != parts[i].part) continue;
        update += squares[slot];
        for (int64_t k = 0; k < p.value.size(); ++k) {
          weight += std::pow(static_cast<double>(p.value.data[k]), 2);
        }
      }
      // Sums of up to 1024 squares are in float lanes.
      EXPECT_NEAR(parts[i].weight, std::sqrt(weight), 1e-5 * std::sqrt(weight)) << parts[i].part;
      EXPECT_DOUBLE_EQ(parts[i].update, std::sqrt(update)) << parts[i].part;
      EXPECT_EQ(parts[i].gradient, parts[i].update) << parts[i].part;
    }
  }
}

}  // namespace
}  // namespace cria
