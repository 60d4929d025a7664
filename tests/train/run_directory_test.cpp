// The directory of a run, without the training.
#include "train/run_directory.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "cria/exchange/load_model.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

class RunDirectoryTest : public ::testing::Test {
 protected:
  RunDirectory open(const RunConfig& config, bool resume = false, int64_t step = 0) const {
    RunDirectory directory(path_, resume);
    directory.open(config, step);
    return directory;
  }

  std::string read(const char* name) const { return read_file(join_path(path_, name)); }

  std::string refusal(bool resume) const {
    return error_of([&] { RunDirectory(path_, resume); });
  }

  void make_checkpoint(int64_t step) const {
    make_directories(checkpoint_path(path_, step));
    write_file(join_path(checkpoint_path(path_, step), kTrainerFile), "{}");
  }

  const TemporaryDirectory parent_;
  const std::string path_ = parent_ / "run";
};

TEST_F(RunDirectoryTest, NothingIsMadeBeforeItIsOpened) {
  EXPECT_EQ(RunDirectory(path_, false).resumed(), "");
  EXPECT_FALSE(exists(path_));
}

TEST_F(RunDirectoryTest, HoldsConfigMetricsAndSamples) {
  RunConfig config;
  config.train.steps = 7;
  RunDirectory directory = open(config);
  directory.log(Json::Object{{"step", 1}, {"loss", 2.5}});
  directory.sample(1, "Once");
  directory.sample(2, "upon");
  EXPECT_EQ(read("config.toml"), to_toml(config));
  EXPECT_EQ(read("metrics.jsonl"), "{\"step\":1,\"loss\":2.5}\n");
  EXPECT_EQ(read("samples.txt"), "--- step 1\nOnce\n--- step 2\nupon\n");
}

TEST_F(RunDirectoryTest, IsOneTrainersOnly) {
  const RunDirectory directory = open({});
  for (const bool resume : {false, true}) {
    EXPECT_NE(refusal(resume).find("another cria"), std::string::npos) << refusal(resume);
  }
}

TEST_F(RunDirectoryTest, ARunIsResumedOrLeftAlone) {
  EXPECT_EQ(RunDirectory(path_, true).resumed(), "");
  open({}).log(Json::Object{{"step", 1}});
  EXPECT_NE(refusal(false).find("hint: begin again with --resume"), std::string::npos);
  EXPECT_EQ(RunDirectory(path_, true).resumed(), "");  // it ended before its first checkpoint
  make_checkpoint(4);
  make_checkpoint(6);
  EXPECT_NE(refusal(false).find("--resume"), std::string::npos);
  EXPECT_EQ(RunDirectory(path_, true).resumed(), checkpoint_path(path_, 6));
}

TEST_F(RunDirectoryTest, LinesAfterTheStepAreDropped) {
  {
    RunDirectory directory = open({});
    for (const int step : {1, 2, 3}) directory.log(Json::Object{{"step", step}});
  }
  make_checkpoint(2);
  open({}, true, 2);
  EXPECT_EQ(read("metrics.jsonl"), "{\"step\":1}\n{\"step\":2}\n");
}

TEST_F(RunDirectoryTest, SamplesAfterTheStepAreDropped) {
  {
    RunDirectory directory = open({});
    for (const int step : {1, 2, 3}) directory.sample(step, "a\n--- step x\nb");
  }
  make_checkpoint(2);
  open({}, true, 2);
  EXPECT_EQ(read("samples.txt"), "--- step 1\na\n--- step x\nb\n--- step 2\na\n--- step x\nb\n");
}

TEST_F(RunDirectoryTest, KeepsTheConfigFileAsItWasGiven) {
  RunConfig config;
  EXPECT_EQ(RunDirectory(path_, true).earlier_config(), "");
  open(config);
  EXPECT_FALSE(exists(join_path(path_, "given.toml")));
  EXPECT_EQ(RunDirectory(path_, true).earlier_config(), to_toml(config));
  config.text = "# mine\n";
  open(config, true);
  EXPECT_EQ(read("given.toml"), "# mine\n");
}

TEST_F(RunDirectoryTest, KeepsTheLastCheckpoints) {
  RunConfig config;
  config.train.keep_checkpoints = 2;
  const RunDirectory directory = open(config);
  for (const int64_t step : {1, 20, 3}) make_checkpoint(step);
  directory.prune_checkpoints();
  EXPECT_EQ(list_checkpoints(path_),
            (std::vector{directory.checkpoint(3), directory.checkpoint(20)}));
}

TEST_F(RunDirectoryTest, WhatAKilledRunLeftIsRemoved) {
  open({});
  const std::string left = checkpoint_path(path_, 2) + ".77.tmp";
  make_directories(left + "/more");
  open({});
  EXPECT_FALSE(exists(left));
}

TEST_F(RunDirectoryTest, AllCheckpointsWithZero) {
  RunConfig config;
  config.train.keep_checkpoints = 0;
  const RunDirectory directory = open(config);
  for (const int64_t step : {1, 2, 3}) make_checkpoint(step);
  directory.prune_checkpoints();
  EXPECT_EQ(list_checkpoints(path_).size(), 3u);
}

TEST_F(RunDirectoryTest, NormsAreForTensorBoard) {
  RunConfig config;
  config.log.norms_every = 3;
  {
    const RunDirectory directory = open(config);
    EXPECT_FALSE(directory.wants_norms(3));
  }
  make_checkpoint(1);
  config.log.tensorboard = true;
  const RunDirectory directory = open(config, true, 1);
  EXPECT_FALSE(directory.wants_norms(2));
  EXPECT_TRUE(directory.wants_norms(3));
}

// A line for each start whose steps are in the run.
TEST_F(RunDirectoryTest, StartsAreKept) {
  const RunDirectory directory = open({});
  for (const int step : {0, 4, 8, 4}) {
    directory.started(Json::Object{{"step", step}, {"threads", step + 1}});
  }
  EXPECT_EQ(read("starts.jsonl"), "{\"step\":0,\"threads\":1}\n{\"step\":4,\"threads\":5}\n");
  write_file(join_path(path_, "starts.jsonl"), "{\"step\":2}\n{}\n[]\n{\"step\":\"0\"}\n{\"st");
  directory.started(Json::Object{{"step", 3}});
  EXPECT_EQ(read("starts.jsonl"), "{\"step\":2}\n{\"step\":3}\n");
}

}  // namespace
}  // namespace cria
