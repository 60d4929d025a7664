// What a run is made with.
#include "train/run_start.h"

#include <gtest/gtest.h>

#include "base/machine.h"
#include "base/version.h"
#include "cria/kernels/kernels.h"
#include "support/errors.h"
#include "support/files.h"
#include "support/threads.h"
#include "support/tiny_run.h"

namespace cria {
namespace {

TEST(RunStart, SaysVersionMachineAndData) {
  const TemporaryDirectory directory;
  write_file(directory / "dataset.json",
             R"({"train": {"shards": ["a.bin"], "checksums": ["0123456789abcdef"]}})");
  const ThreadCount three(3);
  const Json start = run_start(7, {directory / "a.bin"}, {directory / "b.bin"});
  EXPECT_EQ(start.find("step")->as_int(""), 7);
  EXPECT_EQ(start.find("version")->as_string(""), kCriaVersion);
  EXPECT_EQ(start.find("commit")->as_string(""), kCommit);
  EXPECT_EQ(start.find("processor")->as_string(""), processor_name());
  EXPECT_EQ(start.find("kernels")->as_string(""), kernels().isa);
  EXPECT_EQ(start.find("threads")->as_int(""), 3);
  EXPECT_EQ(start.find("train_data")->as_string("").size(), 16u);
  EXPECT_EQ(start.find("val_data")->as_string(""), "");
}

// One when it begins, one when it goes on; after another first part, the same bits.
TEST(RunStart, EachStartHasALine) {
  const TinyRun run;
  RunConfig config = run.config("run");
  config.train.checkpoint_every = 3;
  Recorder first, second;
  first.stop_after = 5;
  EXPECT_FALSE(run_training(config, first));
  EXPECT_TRUE(run_training(config, second, true));
  const std::string lines = read_file(join_path(config.train.output_dir, "starts.jsonl"));
  EXPECT_TRUE(lines.starts_with("{\"step\":0,")) << lines;
  EXPECT_TRUE(contains(lines, "\n{\"step\":5,")) << lines;
}

}  // namespace
}  // namespace cria
