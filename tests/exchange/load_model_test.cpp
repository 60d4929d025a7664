// Where the checkpoints of a run are. What loading them gives: tests/train/checkpoint_test.cpp.
#include "cria/exchange/load_model.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "cria/base/file.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

namespace fs = std::filesystem;

TEST(LoadModel, Paths) {
  EXPECT_EQ(checkpoint_path("runs/x", 0), "runs/x/checkpoints/step-00000000");
  EXPECT_EQ(checkpoint_path("runs/x", 2000), "runs/x/checkpoints/step-00002000");
  EXPECT_EQ(checkpoint_path("runs/x", 1234567890), "runs/x/checkpoints/step-1234567890");
}

TEST(LoadModel, ListsOnlyWholeCheckpointsByNumber) {
  const TemporaryDirectory directory;
  const std::string run = directory.path();
  EXPECT_TRUE(list_checkpoints(run).empty());
  for (const char* name : {"step-00000010", "step-00000009", "step-123456789", "step-99999999",
                           "step-00000011.1234.tmp", "step-", "step-x", "last", "xstep-00000001"}) {
    fs::create_directories(join_path(join_path(run, "checkpoints"), name));
  }
  std::vector<std::string> want;
  for (const int64_t step : {9, 10, 99999999, 123456789}) {
    want.push_back(checkpoint_path(run, step));
  }
  EXPECT_EQ(list_checkpoints(run), want);
}

TEST(LoadModel, CheckpointsByName) {
  const TemporaryDirectory directory;
  const std::string run = directory / "run";
  EXPECT_EQ(find_checkpoint(run), "");
  EXPECT_EQ(find_checkpoint(run + "@best"), "") << "not a run";
  for (const int64_t step : {9, 300}) {
    fs::create_directories(checkpoint_path(run, step));
    write_file(join_path(checkpoint_path(run, step), kTrainerFile),
               "{\"step\":" + std::to_string(step) + "}");
  }
  EXPECT_EQ(find_checkpoint(run), checkpoint_path(run, 300));
  EXPECT_EQ(find_checkpoint(run + "@step-9"), checkpoint_path(run, 9));
  EXPECT_EQ(find_checkpoint(run + "@step-00000009"), checkpoint_path(run, 9));
  for (const char* const name : {"best", "step-10", "9", ""}) {
    const std::string message = error_of([&] { find_checkpoint(run + "@" + name); });
    EXPECT_TRUE(contains(message, "expected: one of \"step-9\", \"step-300\"")) << message;
  }
  fs::create_directories(best_path(run));
  write_file(join_path(best_path(run), kTrainerFile), "{\"step\":12}");
  EXPECT_EQ(find_checkpoint(run + "@best"), best_path(run));
  EXPECT_EQ(list_checkpoints(run).size(), 2u);
  const std::string young = directory / "young";  // no checkpoint of it is written yet
  fs::create_directories(join_path(young, "checkpoints"));
  EXPECT_EQ(find_checkpoint(young), "");
  EXPECT_EQ(error_of([&] { find_checkpoint(young + "@step-10"); }),
            young + "@step-10: the run has no checkpoints");
  // A path that is there is meant as it stands.
  fs::create_directories(run + "@best");
  EXPECT_EQ(find_checkpoint(run + "@best"), "");
}

}  // namespace
}  // namespace cria
