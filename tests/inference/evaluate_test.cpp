// Validation loss against one computed token by token.
#include "cria/inference/evaluate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "support/threads.h"
#include "support/tiny_model.h"
#include "support/tiny_run.h"

namespace cria {
namespace {

constexpr int64_t kLength = 8;

class EvaluateTest : public ::testing::Test {
 protected:
  EvaluateTest() : model_(config()) {
    model_.initialize(1);
    // Two whole windows and three tokens; shorter than a window; whole windows only.
    const std::vector<int64_t> lengths = {20, 6, 25};
    for (size_t i = 0; i < lengths.size(); ++i) {
      shards_.push_back(walk(lengths[i], "shard" + std::to_string(i)));
      write_shard(directory_ / ("val_" + std::to_string(i) + ".bin"), shards_.back());
    }
  }

  static ModelConfig config() {
    ModelConfig config = tiny_config();
    config.initializer_range = 0.2;  // tokens matter to each other
    return config;
  }

  Dataset dataset() const {
    return Dataset(directory_ / "val_*.bin", ShardFormat::llmc, kTinyVocabulary);
  }

  Evaluation evaluated(EvaluationRequest request, Purpose purpose = Purpose::evaluation) const {
    Activations activations(model_, purpose, request.batch_size, request.sequence_length);
    return evaluate(model_, activations, dataset(), request);
  }

  // -log p of every token but the first of each shard, given those before it in its window.
  std::vector<double> token_losses() const {
    std::vector<double> losses;
    for (const std::vector<int32_t>& tokens : shards_) {
      for (size_t begin = 0; begin + 1 < tokens.size(); begin += kLength) {
        for (size_t t = begin; t < begin + kLength && t + 1 < tokens.size(); ++t) {
          losses.push_back(loss_of(tokens, begin, t));
        }
      }
    }
    return losses;
  }

  ThreadCount one_{1};  // so small a model only waits for others
  TemporaryDirectory directory_;
  Llama model_;
  std::vector<std::vector<int32_t>> shards_;

 private:
  // The loss of tokens[last + 1], given tokens[begin .. last].
  double loss_of(const std::vector<int32_t>& tokens, size_t begin, size_t last) const {
    const int64_t time = static_cast<int64_t>(last - begin + 1);
    Activations activations(model_, Purpose::generation, 1, time);
    const ConstTensor z = model_.next_logits(activations, TokenIds(&tokens[begin], {1, time}));
    double sum = 0;
    for (int64_t v = 0; v < z.size(); ++v) sum += std::exp(static_cast<double>(z.data[v]));
    return std::log(sum) - static_cast<double>(z.data[tokens[last + 1]]);
  }
};

double sum(const std::vector<double>& values) {
  double total = 0;
  for (const double value : values) total += value;
  return total;
}

// fp32 logits near 1 and the loss's own rounding: a few 1e-7.
constexpr double kTolerance = 2e-6;

TEST_F(EvaluateTest, EveryTokenButTheFirstOnce) {
  const std::vector<double> losses = token_losses();
  ASSERT_EQ(losses.size(), 19u + 5u + 24u);
  const double want = sum(losses) / 48;
  for (const Purpose purpose : {Purpose::evaluation, Purpose::training}) {
    const Evaluation got = evaluated({.sequence_length = kLength, .batch_size = 2}, purpose);
    EXPECT_EQ(got.tokens, 48);
    EXPECT_NEAR(got.loss, want, kTolerance * want);
    EXPECT_DOUBLE_EQ(got.perplexity, std::exp(got.loss));
    EXPECT_TRUE(std::isnan(got.bits_per_byte));
    EXPECT_GE(got.seconds, 0);
  }
}

TEST_F(EvaluateTest, OnlyTheFirstBatches) {
  const std::vector<double> losses = token_losses();
  const auto mean_of_first = [&](size_t count) {
    return sum({losses.begin(), losses.begin() + static_cast<std::ptrdiff_t>(count)}) /
           static_cast<double>(count);
  };
  const auto first = [&](int64_t batches) {
    return evaluated({.sequence_length = kLength, .batch_size = 2, .batches = batches});
  };
  // Windows of 8, 8, 3, 5, 8, 8, 8 tokens.
  EXPECT_EQ(first(1).tokens, 16);
  EXPECT_NEAR(first(1).loss, mean_of_first(16), kTolerance * mean_of_first(16));
  EXPECT_EQ(first(2).tokens, 24);
  EXPECT_NEAR(first(2).loss, mean_of_first(24), kTolerance * mean_of_first(24));
  EXPECT_EQ(first(3).tokens, 40);
  EXPECT_EQ(first(100).tokens, 48);
}

// The documents of each window, evaluated one by one as shards of their own.
TEST_F(EvaluateTest, DocumentsKeptApartAreDocumentsAlone) {
  const DocumentMarks marks = {.bos = 5, .eos = 9};
  const Dataset all = dataset();
  double loss = 0;
  int64_t tokens = 0;
  Activations activations(model_, Purpose::evaluation, 1, kLength);
  for (int64_t w = 0; w < all.evaluation_windows(kLength); ++w) {
    const Window window = all.evaluation_window(w, kLength);
    std::vector<int32_t> in(static_cast<size_t>(window.length)), out = in, starts = in;
    all.read(window, in.data(), out.data());
    tokens += mark_documents(in.data(), out.data(), window.length, marks, starts.data());
    for (size_t begin = 0, end; begin < in.size(); begin = end) {
      end = begin + 1;
      while (end < in.size() && starts[end] == starts[begin]) ++end;
      const int64_t length = static_cast<int64_t>(end - begin);
      loss += model_.loss_sum(activations, TokenIds(&in[begin], {1, length}),
                              TokenIds(&out[begin], {1, length}));
    }
  }
  ASSERT_LT(tokens, 48);
  loss /= static_cast<double>(tokens);
  // One byte for each id: of the targets that count, and no others.
  const Evaluation got = evaluated({.sequence_length = kLength,
                                    .batch_size = 2,
                                    .token_lengths = std::vector<int64_t>(kTinyVocabulary, 1),
                                    .documents = marks});
  EXPECT_EQ(got.tokens, tokens);
  EXPECT_NEAR(got.loss, loss, kTolerance * loss);
  EXPECT_DOUBLE_EQ(got.bits_per_byte, got.loss / std::numbers::ln2);
}

TEST_F(EvaluateTest, NoDocumentHasATarget) {
  for (int i = 0; i < 3; ++i) {
    write_shard(directory_ / ("val_" + std::to_string(i) + ".bin"), std::vector<int32_t>(20, 5));
  }
  EXPECT_THROW(evaluated({.sequence_length = kLength, .batch_size = 2, .documents = {{.bos = 5}}}),
               Error);
}

TEST_F(EvaluateTest, TheBatchSizeDoesNotMatter) {
  const double want = evaluated({.sequence_length = kLength, .batch_size = 1}).loss;
  for (const int64_t batch_size : {2, 3, 7, 20}) {
    EXPECT_NEAR(evaluated({.sequence_length = kLength, .batch_size = batch_size}).loss, want,
                1e-6 * want);
  }
}

TEST_F(EvaluateTest, AnyNumberOfThreadsGivesTheSameBits) {
  std::vector<double> losses;
  for (const int threads : {1, 2, 3, 5}) {
    const ThreadCount scope(threads);
    reserve_kernel_memory();
    losses.push_back(evaluated({.sequence_length = kLength, .batch_size = 3}).loss);
    EXPECT_EQ(losses.back(), losses.front()) << threads << " threads";
  }
}

TEST_F(EvaluateTest, ReportsProgress) {
  std::vector<int64_t> seen;
  EvaluationRequest request{.sequence_length = kLength, .batch_size = 2};
  request.progress = [&](int64_t done, int64_t windows) {
    EXPECT_EQ(windows, 7);
    seen.push_back(done);
  };
  evaluated(request);
  // Tails go alone.
  EXPECT_EQ(seen, (std::vector<int64_t>{2, 3, 4, 6, 7}));
}

TEST_F(EvaluateTest, EachLossIsHeard) {
  std::vector<int32_t> heard;
  std::vector<double> losses;
  evaluated({.sequence_length = kLength,
             .batch_size = 2,
             .each_loss = [&](const TokenIds& targets, const ConstTensor& each) {
               EXPECT_EQ(targets.size(), each.size());
               heard.insert(heard.end(), targets.data, targets.data + targets.size());
               losses.insert(losses.end(), each.data, each.data + each.size());
             }});
  std::vector<int32_t> targets;
  for (const auto& shard : shards_) targets.insert(targets.end(), shard.begin() + 1, shard.end());
  EXPECT_EQ(heard, targets);
  const std::vector<double> want = token_losses();
  ASSERT_EQ(losses.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(losses[i], want[i], 1e-5) << i;
}

TEST_F(EvaluateTest, BitsPerByteCountTheBytesOfCharacters) {
  std::vector<uint32_t> characters;
  for (uint32_t i = 0; i < 10; ++i) {
    for (const uint32_t block : {0x41u, 0xE0u, 0x20A0u, 0x1F600u}) {  // 1, 2, 3, 4 bytes
      if (std::ssize(characters) < kTinyVocabulary) characters.push_back(block + i);
    }
  }
  std::ranges::sort(characters);
  const auto tokenizer = make_char_tokenizer(characters);
  const std::vector<int64_t> lengths = token_lengths(tokenizer.get());
  ASSERT_EQ(std::ssize(lengths), kTinyVocabulary);
  EXPECT_EQ(lengths.front(), 1);
  EXPECT_EQ(lengths[10], 2);
  EXPECT_EQ(lengths[20], 3);
  EXPECT_EQ(lengths.back(), 4);
  int64_t bytes = 0;
  for (const std::vector<int32_t>& shard : shards_) {
    bytes += std::ssize(tokenizer->decode({shard.begin() + 1, shard.end()}));
  }
  const Evaluation got = evaluated(
      {.sequence_length = kLength, .batch_size = 2, .batches = 0, .token_lengths = lengths});
  const double want = sum(token_losses()) / std::numbers::ln2 / static_cast<double>(bytes);
  EXPECT_NEAR(got.bits_per_byte, want, kTolerance * want);
}

TEST_F(EvaluateTest, NoTokenizerNoLengths) {
  EXPECT_TRUE(token_lengths(nullptr).empty());
}

TEST_F(EvaluateTest, AShardWithNothingToPredict) {
  write_shard(directory_ / "val_3.bin", {1});
  EXPECT_EQ(evaluated({.sequence_length = kLength, .batch_size = 2}).tokens, 48);
  for (int i = 0; i < 3; ++i) {
    std::filesystem::remove(directory_ / ("val_" + std::to_string(i) + ".bin"));
  }
  EXPECT_THROW(evaluated({.sequence_length = kLength, .batch_size = 2}), Error);
}

}  // namespace
}  // namespace cria
