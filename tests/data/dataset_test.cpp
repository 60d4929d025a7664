#include "cria/data/dataset.h"

#include <gtest/gtest.h>

#include <numeric>

#include "cria/base/error.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

constexpr int64_t kVocabulary = 100000;

class DatasetTest : public testing::Test {
 protected:
  // Shards of these lengths; shard s holds 1000 s, 1000 s + 1, ...
  Dataset dataset(const std::vector<int64_t>& lengths) const {
    for (size_t shard = 0; shard < lengths.size(); ++shard) {
      std::vector<int32_t> tokens(static_cast<size_t>(lengths[shard]));
      std::iota(tokens.begin(), tokens.end(), static_cast<int32_t>(1000 * shard));
      write("train_" + std::to_string(shard) + ".bin", tokens);
    }
    return Dataset(directory_ / "train_*.bin", ShardFormat::llmc, kVocabulary);
  }

  void write(const std::string& name, const std::vector<int32_t>& tokens) const {
    ShardWriter writer(directory_ / name, kVocabulary);
    writer.write(tokens);
    writer.finish();
  }

  std::string error_of_windows(const std::vector<int64_t>& lengths, int64_t length) const {
    try {
      dataset(lengths).training_windows(length);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryDirectory directory_;
};

// Checks that the window reads as consecutive tokens and returns the first.
int32_t first_token(const Dataset& dataset, const Window& window) {
  std::vector<int32_t> inputs(static_cast<size_t>(window.length)), targets = inputs;
  dataset.read(window, inputs.data(), targets.data());
  for (size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_EQ(inputs[i], inputs[0] + static_cast<int32_t>(i));
    EXPECT_EQ(targets[i], inputs[i] + 1);
  }
  return inputs[0];
}

TEST_F(DatasetTest, CountsTokensAndWholeWindows) {
  // With length 4: 9 tokens hold two windows and their targets, 8 and 5 one, 4 and 1 none.
  const Dataset data = dataset({9, 4, 8, 1, 5});
  EXPECT_EQ(data.tokens(), 27);
  EXPECT_EQ(data.glob(), directory_ / "train_*.bin");
  ASSERT_EQ(data.training_windows(4), 4);
  std::vector<int32_t> firsts;
  for (int64_t i = 0; i < 4; ++i) {
    const Window window = data.training_window(i, 4, 0);
    EXPECT_EQ(window.length, 4);
    firsts.push_back(first_token(data, window));
  }
  EXPECT_EQ(firsts, (std::vector<int32_t>{0, 4, 2000, 4000}));
}

TEST_F(DatasetTest, ShiftMovesWindowsUpToTheEndOfTheirShard) {
  const Dataset data = dataset({12, 5});
  const auto begins = [&](int64_t shift) {
    std::vector<int64_t> all;
    for (int64_t i = 0; i < data.training_windows(4); ++i) {
      const Window window = data.training_window(i, 4, shift);
      first_token(data, window);
      all.push_back(window.begin);
    }
    return all;
  };
  EXPECT_EQ(begins(0), (std::vector<int64_t>{0, 4, 0}));
  EXPECT_EQ(begins(3), (std::vector<int64_t>{3, 7, 0}));
  // 11 targets, so the last window begins at 7 at the latest.
  EXPECT_EQ(begins(1), (std::vector<int64_t>{1, 5, 0}));
  EXPECT_EQ(dataset({10, 5}).training_window(1, 4, 3).begin, 5);
}

TEST_F(DatasetTest, EveryTokenButAShardsFirstIsATargetOnceInEvaluation) {
  const std::vector<int64_t> lengths = {9, 4, 1, 8, 2, 5, 30};
  const Dataset data = dataset(lengths);
  for (const int64_t length : {1, 2, 3, 4, 7, 29, 30, 1000}) {
    std::vector<int> times(7000);
    const int64_t windows = data.evaluation_windows(length);
    for (int64_t i = 0; i < windows; ++i) {
      const Window window = data.evaluation_window(i, length);
      ASSERT_GE(window.length, 1);
      ASSERT_LE(window.length, length);
      const size_t target = static_cast<size_t>(first_token(data, window)) + 1;
      for (int64_t t = 0; t < window.length; ++t) ++times[target + static_cast<size_t>(t)];
    }
    for (size_t shard = 0; shard < lengths.size(); ++shard) {
      for (int64_t i = 0; i < 1000; ++i) {
        ASSERT_EQ(times[1000 * shard + static_cast<size_t>(i)], i > 0 && i < lengths[shard])
            << "length " << length << ", shard " << shard << ", token " << i;
      }
    }
  }
}

TEST_F(DatasetTest, NamesWhatIsMissingForOneWindow) {
  const std::string error = error_of_windows({8, 3}, 8);
  EXPECT_TRUE(error.starts_with(directory_ / "train_*.bin")) << error;
  EXPECT_TRUE(contains(error, "at least 9 tokens")) << error;
  EXPECT_TRUE(contains(error, "got: 11 tokens, 8 in the longest shard")) << error;
  EXPECT_TRUE(contains(error, "hint: lower data.sequence_length")) << error;
  EXPECT_EQ(error_of_windows({9, 3}, 8), "no error");
}

TEST_F(DatasetTest, EvaluationNeedsATarget) {
  EXPECT_THROW(dataset({1, 1}).evaluation_windows(4), Error);
}

TEST_F(DatasetTest, TakesShardsInOrderOfName) {
  write("b_000002.bin", {2, 3});
  write("b_000000.bin", {0, 1});
  write("b_000001.bin", {1, 2});
  const Dataset data(directory_ / "b_*.bin", ShardFormat::llmc, kVocabulary);
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(first_token(data, data.training_window(i, 1, 0)), i);
  }
}

TEST_F(DatasetTest, TakesANameWithBracketsAsItStands) {
  write("run[1].bin", {3, 4});
  EXPECT_EQ(Dataset(directory_ / "run[1].bin", ShardFormat::llmc, kVocabulary).tokens(), 2);
}

TEST_F(DatasetTest, ErrorsNameThePlace) {
  EXPECT_THROW(Dataset(directory_ / "none_*.bin", ShardFormat::llmc, kVocabulary), Error);
  write("small.bin", {1, 7, 2});
  EXPECT_EQ(Dataset(directory_ / "small.bin", ShardFormat::llmc, 8).tokens(), 3);
  // Before anything reads a window.
  EXPECT_THROW(Dataset(directory_ / "small.bin", ShardFormat::llmc, 7), Error);
}

// A glob over directories, each with several shards.
TEST_F(DatasetTest, ShardsInSeveralDirectories) {
  using Strings = std::vector<std::string>;
  int32_t begin = 0;
  for (const char* directory : {"en", "de", "fr"}) {
    std::filesystem::create_directory(directory_ / directory);
    for (const char* shard : {"/train_0.bin", "/train_1.bin"}) {
      std::vector<int32_t> tokens(9);
      std::iota(tokens.begin(), tokens.end(), begin += 100);
      write(directory + std::string(shard), tokens);
    }
  }
  const std::string glob = directory_ / "*/train_*.bin";
  const Dataset data(glob, ShardFormat::llmc, kVocabulary);
  EXPECT_EQ(data.tokens(), 54);
  ASSERT_EQ(data.training_windows(4), 12);
  const int32_t first[] = {300, 304, 400, 404, 100, 104, 200, 204, 500, 504, 600, 604};
  for (int64_t i = 0; i < 12; ++i) {
    EXPECT_EQ(first_token(data, data.training_window(i, 4, 0)), first[i]) << i;
  }
  EXPECT_EQ(shard_directories(glob),
            (Strings{directory_ / "de", directory_ / "en", directory_ / "fr"}));
  EXPECT_EQ(shard_directories(directory_ / "en/none_*.bin"), Strings{directory_ / "en"});
  EXPECT_EQ(shard_directories("none_*.bin"), Strings{""});
  EXPECT_THROW(shard_directories(directory_ / "*/none_*.bin"), Error);
}

}  // namespace
}  // namespace cria
