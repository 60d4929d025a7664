// Runs read back: series, thinning, seeds as one, what differs.
#include "report/run_history.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cria/base/file.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

// A directory with a run: its losses of steps 1, 2, ...
void write_run(const std::string& path, const std::string& config,
               const std::vector<double>& losses) {
  make_directories(path);
  write_file(path + "/config.toml", config);
  std::string lines;
  for (size_t i = 0; i < losses.size(); ++i) {
    const Json line = Json::Object{{"step", i + 1},
                                   {"tokens", 10 * (i + 1)},
                                   {"loss", losses[i]},
                                   {"seconds", 0.5 * static_cast<double>(i + 1)}};
    lines += line.dump() + "\n";
  }
  write_file(path + "/metrics.jsonl", lines);
}

std::string config_of(int seed, const std::string& rate) {
  return "[train]\nseed = " + std::to_string(seed) + "\noutput_dir = \"run" + std::to_string(seed) +
         "\"\n[optimizer]\nlearning_rate = " + rate + "\n";
}

TEST(RunHistory, ReadsLinesOfEveryKind) {
  const TemporaryDirectory directory;
  write_run(directory / "run", config_of(1, "0.1"), {3, 2});
  append_to_file(directory / "run/metrics.jsonl",
                 "{\"step\":2,\"val_loss\":2.5,\"seconds\":99}\n{\"step\":3,\"loss\":null}\n"
                 "{\"step\":3,\"not_finite\":1}\n{\"step\":4,\"lo");
  write_file(directory / "run/samples.txt", "--- step 1\na\n--- step x\n\n--- step 20\nb\n");
  const RunHistory run = read_run_history(directory / "run/");
  EXPECT_EQ(run.name, "run");
  EXPECT_EQ(run.config.at("optimizer.learning_rate"), "0.1");
  EXPECT_EQ(run.find("loss")->steps, (std::vector<double>{1, 2, 3}));
  EXPECT_TRUE(std::isnan(run.find("loss")->values[2]));
  EXPECT_EQ(run.last("loss"), 2);
  EXPECT_EQ(run.last("seconds"), 1);  // of training, not of the evaluation
  EXPECT_EQ(run.at("tokens", 1), 10);
  EXPECT_EQ(run.at("tokens", 1.5), 10);
  EXPECT_EQ(run.at("tokens", 0), 10);
  EXPECT_EQ(run.at("tokens", 7), 20);
  EXPECT_TRUE(std::isnan(run.last("no such key")));
  ASSERT_EQ(run.samples.size(), 2u);
  EXPECT_EQ(run.samples[0].second, "a\n--- step x\n\n");
  EXPECT_EQ(run.samples[1].first, "20");
}

TEST(RunHistory, RefusesWhatIsNoRun) {
  const TemporaryDirectory directory;
  write_run(directory / "run", "", {1});
  write_file(directory / "run/metrics.jsonl", "{\"step\":1,\"loss\":\"high\"}\n");
  EXPECT_TRUE(contains(error_of([&] { read_run_history(directory / "run"); }), "metrics.jsonl"));
  write_file(directory / "run/metrics.jsonl", "{\"loss\":1}\n");
  EXPECT_TRUE(contains(error_of([&] { read_run_history(directory / "run"); }), "step"));
  // A damaged line is passed over, as wherever metrics are read.
  write_file(directory / "run/metrics.jsonl", "{}]\n{\"step\":1,\"loss\":2.5}\n");
  EXPECT_EQ(read_run_history(directory / "run").last("loss"), 2.5);
  EXPECT_FALSE(is_run(directory.path()));
}

TEST(RunHistory, LongRunsAreThinnedWithABand) {
  const TemporaryDirectory directory;
  std::vector<double> losses;
  for (int i = 0; i < 1000; ++i) losses.push_back(i % 10 == 7 ? 100 : i / 10);
  write_run(directory / "run", "", losses);
  const std::vector<RunGroup> groups = group_by_seed({read_run_history(directory / "run")});
  const Curve curve = curve_of(groups[0].runs, "loss", 100);
  ASSERT_EQ(curve.steps.size(), 100u);
  for (size_t k = 0; k < 100; ++k) {
    const double value = static_cast<double>(k);
    EXPECT_DOUBLE_EQ(curve.steps[k], 10 * value + 5.5);
    EXPECT_DOUBLE_EQ(curve.mean[k], 0.9 * value + 10);
    EXPECT_EQ(curve.low[k], value);
    EXPECT_EQ(curve.high[k], 100);
  }
  const Curve all = curve_of(groups[0].runs, "loss", 1000);
  EXPECT_EQ(all.mean, losses);
  EXPECT_TRUE(all.low.empty());
  EXPECT_TRUE(curve_of(groups[0].runs, "none").steps.empty());
}

TEST(RunHistory, RunsThatDifferInTheSeedAreOneGroup) {
  const TemporaryDirectory directory;
  write_run(directory / "a", config_of(1, "0.1"), {4, 2});
  write_run(directory / "b", config_of(2, "0.2"), {9, 9});
  write_run(directory / "c", config_of(3, "0.1"), {6, 5, 3});
  std::vector<RunHistory> runs;
  for (const char* const name : {"a", "b", "c"}) {
    runs.push_back(read_run_history(directory / name));
  }
  const std::vector<RunGroup> groups = group_by_seed(runs);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].name, "a (2 seeds)");
  EXPECT_EQ(groups[1].name, "b");
  const Curve curve = curve_of(groups[0].runs, "loss");
  EXPECT_EQ(curve.steps, (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(curve.mean, (std::vector<double>{5, 3.5, 3}));
  EXPECT_EQ(curve.low, (std::vector<double>{4, 2, 3}));
  EXPECT_EQ(curve.high, (std::vector<double>{6, 5, 3}));
  EXPECT_EQ(last_of(groups[0], "loss"), 2.5);
  EXPECT_EQ(config_differences(groups),
            (std::vector<std::vector<std::string>>{{"optimizer.learning_rate", "0.1", "0.2"},
                                                   {"train.seed", "1, 3", "2"}}));
}

}  // namespace
}  // namespace cria
