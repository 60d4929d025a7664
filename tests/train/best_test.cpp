// The best checkpoint of a run, and the end when no better one comes.
#include <gtest/gtest.h>

#include <filesystem>

#include "cria/exchange/load_model.h"
#include "exchange/checkpoint_files.h"
#include "support/tiny_run.h"

namespace cria {
namespace {

// With such a rate the validation loss soon rises.
RunConfig overfitting(const TinyRun& run, const std::string& name) {
  RunConfig config = run.config(name);
  config.schedule.name = "constant";
  config.optimizer.learning_rate = 0.1;
  config.train.steps = 60;
  return config;
}

std::string weights_of(const std::string& model) {
  return read_file(join_path(model, "model.safetensors"));
}

size_t lowest(const Recorder& recorder) {
  size_t best = 0;
  for (size_t i = 0; i < recorder.evaluations.size(); ++i) {
    if (recorder.evaluations[i].loss < recorder.evaluations[best].loss) best = i;
  }
  return best;
}

TEST(TrainerBest, IsTheModelOfTheLowestValidationLoss) {
  const TinyRun run;
  RunConfig config = overfitting(run, "run");
  config.train.checkpoint_every = 3;
  Recorder recorder;
  EXPECT_TRUE(run_training(config, recorder));
  ASSERT_EQ(recorder.evaluations.size(), 20u);
  const size_t best = lowest(recorder);
  ASSERT_LT(best, 19u) << "it does not overfit";
  const int64_t step = 3 * static_cast<int64_t>(best + 1);
  const std::string& output = config.train.output_dir;
  EXPECT_EQ(weights_of(best_path(output)), weights_of(checkpoint_path(output, step)));
  EXPECT_TRUE(require_whole(best_path(output), CheckpointFiles::all));
  EXPECT_FALSE(exists(join_path(best_path(output), "optimizer.safetensors")));
  const Json trainer = read_json(join_path(best_path(output), kTrainerFile));
  EXPECT_EQ(trainer.find("step")->as_int(""), step);
  EXPECT_EQ(trainer.find("val_loss")->as_double(""), recorder.evaluations[best].loss);
  EXPECT_EQ(trainer.find("fingerprint")->as_string(""), recorder.fingerprints[best]);
  EXPECT_EQ(load_model(output + "@best").step, step);
  EXPECT_EQ(load_model(output).step, 60) << "the latest";
  for (const auto& entry : std::filesystem::directory_iterator(join_path(output, "checkpoints"))) {
    EXPECT_FALSE(entry.path().string().ends_with(".next")) << entry.path();
  }
}

TEST(TrainerBest, StaysWhenOthersAreRemoved) {
  const TinyRun run;
  RunConfig config = overfitting(run, "run");
  config.train.checkpoint_every = 3;
  config.train.keep_checkpoints = 1;
  Recorder recorder;
  run_training(config, recorder);
  EXPECT_EQ(list_checkpoints(config.train.output_dir).size(), 1u);
  EXPECT_EQ(load_model(config.train.output_dir + "@best").step,
            3 * static_cast<int64_t>(lowest(recorder) + 1));
}

TEST(TrainerBest, NoneWithoutValidation) {
  const TinyRun run;
  RunConfig config = run.config("run");
  config.data.val = "";
  Recorder recorder;
  run_training(config, recorder);
  EXPECT_FALSE(exists(best_path(config.train.output_dir)));
}

TEST(TrainerBest, PatienceEndsTheRun) {
  const TinyRun run;
  RunConfig all = overfitting(run, "all"), patient = overfitting(run, "patient");
  Recorder want, got;
  run_training(all, want);
  patient.train.patience = 2;
  EXPECT_TRUE(run_training(patient, got));
  ASSERT_TRUE(got.ended.has_value());
  EXPECT_EQ(got.ended->evaluations_since, 2);
  // The first two evaluations in a row that are not better than the best so far.
  double best = want.evaluations[0].loss;
  size_t end = 1, since = 0;
  for (; since < 2; ++end) {
    since = want.evaluations[end].loss < best ? 0 : since + 1;
    best = std::min(best, want.evaluations[end].loss);
  }
  ASSERT_EQ(got.evaluations.size(), end);
  EXPECT_EQ(got.ended->loss, best);
  const int64_t step = got.steps.back().step;
  EXPECT_EQ(step, 3 * static_cast<int64_t>(end));
  EXPECT_TRUE(exists(checkpoint_path(patient.train.output_dir, step)));
  EXPECT_EQ(read_metrics(patient).back().find("ended_early")->as_int(""), 1);

  // In a loop it has ended; with more patience it goes on as if it had been so from the start.
  Recorder again, more;
  EXPECT_TRUE(run_training(patient, again, true));
  EXPECT_TRUE(again.steps.empty());
  patient.train.patience = 0;
  EXPECT_TRUE(run_training(patient, more, true));
  EXPECT_EQ(more.steps.back().step, 60);
  EXPECT_EQ(weights_of(checkpoint_path(patient.train.output_dir, 60)),
            weights_of(checkpoint_path(all.train.output_dir, 60)));
  EXPECT_EQ(weights_of(best_path(patient.train.output_dir)),
            weights_of(best_path(all.train.output_dir)));
}

// What has been waited for is remembered across an interruption, at any step.
TEST(TrainerBest, PatienceIsTheSameAfterAResume) {
  const TinyRun run;
  RunConfig whole = overfitting(run, "whole");
  whole.train.patience = 3;
  Recorder want;
  run_training(whole, want);
  const int64_t end = want.steps.back().step;
  ASSERT_LT(end, 60);
  for (const int64_t stop_after : {int64_t{4}, end - 4, end - 1}) {
    RunConfig cut = overfitting(run, "cut" + std::to_string(stop_after));
    cut.train.patience = 3;
    Recorder first, second;
    first.stop_after = stop_after;
    EXPECT_FALSE(run_training(cut, first));
    EXPECT_TRUE(run_training(cut, second, true));
    EXPECT_EQ(second.steps.back().step, end);
    EXPECT_EQ(weights_of(best_path(cut.train.output_dir)),
              weights_of(best_path(whole.train.output_dir)));
  }
}

// A crash between the two renames, where the system cannot do both at once.
TEST(TrainerBest, IsMendedAfterACrash) {
  const TinyRun run;
  const RunConfig config = run.config("run");
  Recorder recorder;
  run_training(config, recorder);
  const std::string best = best_path(config.train.output_dir), next = best + ".next";
  const std::string weights = weights_of(best);
  std::filesystem::rename(best, next);
  mend_best(best);
  EXPECT_EQ(weights_of(best), weights);
  make_directories(next);
  mend_best(best);
  EXPECT_FALSE(exists(next));
  EXPECT_EQ(weights_of(best), weights);
}

}  // namespace
}  // namespace cria
