// Resuming with other settings or data: what is said, and what is refused.
#include "train/resumption.h"

#include <gtest/gtest.h>

#include "cria/exchange/load_model.h"
#include "cria/optim/schedule.h"
#include "support/tiny_run.h"

namespace cria {
namespace {

bool mention(const std::vector<std::string>& lines, const std::string& part) {
  return std::ranges::any_of(lines, [&](const std::string& line) { return contains(line, part); });
}

class ResumptionTest : public ::testing::Test {
 protected:
  // A config file, of a run with a checkpoint at the end.
  void write_config(int64_t steps = 6, int64_t norms_every = 100) const {
    RunConfig config = run_.config("run");
    config.train.steps = steps;
    config.schedule.decay_steps = 0;
    config.schedule.warmup_steps = 0;
    config.log.norms_every = norms_every;
    write_file(path(), to_toml(config));
  }
  std::string path() const { return run_.directory() / "config.toml"; }
  std::string output() const { return run_.directory() / "run"; }

  RunConfig read(const std::vector<std::string>& overrides, bool resume = true) const {
    return read_run_config(path(), overrides, resume);
  }
  void train(const std::vector<std::string>& overrides = {}) const {
    Recorder recorder;
    EXPECT_TRUE(run_training(read(overrides, false), recorder));
  }
  // Goes on; the message where that is refused.
  std::string resume(const std::vector<std::string>& overrides, bool change = false) {
    recorder_.steps.clear();
    recorder_.warnings.clear();
    return error_of([&] { run_training(read(overrides), recorder_, true, change); });
  }
  std::string weights(const std::string& run, int64_t step) const {
    return read_file(join_path(checkpoint_path(run, step), "model.safetensors"));
  }

  const TinyRun run_;
  Recorder recorder_;
};

TEST_F(ResumptionTest, TheRunsOwnConfigIsTheBase) {
  write_config();
  train({"optimizer.learning_rate=0.02", "train.eval_every=5"});
  EXPECT_EQ(read({}, false).optimizer.learning_rate, 0.01);
  EXPECT_EQ(read({}).optimizer.learning_rate, 0.02);
  EXPECT_EQ(resume({"train.steps=8"}), "");
  EXPECT_EQ(recorder_.steps.size(), 2u);
  // The override of that resume is not forgotten by the next.
  EXPECT_EQ(read({}).train.steps, 8);
  EXPECT_EQ(read({}).train.eval_every, 5);
  EXPECT_EQ(resume({}), "");
  EXPECT_TRUE(recorder_.steps.empty());
  EXPECT_FALSE(mention(recorder_.warnings, "from here on"));
}

TEST_F(ResumptionTest, WhatTheFileSaysAnewActs) {
  write_config();
  train({"train.eval_every=5"});
  write_config(9, 7);
  const RunConfig now = read({});
  EXPECT_EQ(now.train.steps, 9);
  EXPECT_EQ(now.train.eval_every, 5) << "the file has not changed that";
  EXPECT_EQ(now.log.norms_every, 7);
  EXPECT_EQ(read({"train.steps=10"}).train.steps, 10);
}

TEST_F(ResumptionTest, WithoutACheckpointTheFileIs) {
  write_config();
  make_directories(output());
  write_file(join_path(output(), "config.toml"), "[train]\nsteps = 77\n");
  EXPECT_EQ(read({}).train.steps, 6);
}

TEST_F(ResumptionTest, TheRunsOwnConfigFileResumesIt) {
  write_config();
  train({"schedule.name='wsd'"});
  EXPECT_EQ(read_run_config(join_path(output(), "config.toml"),
                            std::vector<std::string>{"train.steps=12"}, true)
                .schedule.decay_steps,
            12);
}

// cosine and linear keep their shape: no rate of a step done would have been another.
TEST_F(ResumptionTest, LongerKeepsTheShapeOfTheSchedule) {
  for (const char* const name : {"cosine", "linear", "constant"}) {
    SCOPED_TRACE(name);
    write_config();
    std::filesystem::remove_all(output());
    train({"schedule.name='" + std::string(name) + "'"});
    EXPECT_EQ(resume({"train.steps=9"}), "");
    EXPECT_TRUE(mention(recorder_.warnings, "train.steps was 6 and is 9 from here on"));
    EXPECT_TRUE(mention(recorder_.warnings, "the learning rate was 0.0")) << "before and after";
    EXPECT_EQ(mention(recorder_.warnings, "it stays at its minimum, 0.001"),
              std::string(name) != "constant");
    // The same as planned so.
    Recorder straight;
    RunConfig planned = run_.config("straight");
    std::filesystem::remove_all(planned.train.output_dir);
    planned.schedule = {.name = name, .decay_steps = 6};
    run_training(planned, straight);
    EXPECT_EQ(weights(output(), 9), weights(planned.train.output_dir, 9));
  }
}

TEST_F(ResumptionTest, WsdsCooldownMovesToTheNewEnd) {
  write_config(10);
  Recorder recorder;
  recorder.stop_after = 6;  // before the last fifth
  run_training(read({"schedule.name='wsd'"}, false), recorder);
  EXPECT_EQ(resume({"train.steps=15"}), "");
  EXPECT_EQ(read({}).schedule.decay_steps, 15);
  EXPECT_TRUE(mention(recorder_.warnings, "the learning rate was 0.01 in step 6 and is 0.01"));
  Recorder straight;
  RunConfig planned = run_.config("straight");
  planned.train.steps = 15;
  planned.schedule = {.name = "wsd", .decay_steps = 15};
  run_training(planned, straight);
  EXPECT_EQ(weights(output(), 15), weights(planned.train.output_dir, 15));
  // In the cooldown, what is done would have been other steps.
  EXPECT_TRUE(contains(resume({"train.steps=30"}), "schedule.decay_steps = 30"));
  EXPECT_EQ(resume({"train.steps=30"}, true), "");
  EXPECT_EQ(recorder_.steps.front().learning_rate, 0.01);
}

TEST_F(ResumptionTest, AStretchedScheduleIsAChange) {
  write_config();
  train();
  const std::string message = resume({"train.steps=12", "schedule.decay_steps=0"});
  EXPECT_TRUE(contains(message, "other settings: it would be another run from here on")) << message;
  EXPECT_TRUE(contains(message, "expected: schedule.decay_steps = 6")) << message;
  EXPECT_TRUE(contains(message, "--change")) << message;
  EXPECT_EQ(resume({"train.steps=12", "schedule.decay_steps=0"}, true), "");
  EXPECT_TRUE(mention(recorder_.warnings, "the learning rate was 0.0016"));
  EXPECT_GT(recorder_.steps.front().learning_rate, 0.005);
}

TEST_F(ResumptionTest, ATargetBelowTheStepsDone) {
  write_config();
  train();
  const std::string message = resume({"train.steps=5"});
  for (const char* const part : {"train.steps: the run is beyond that already",
                                 "expected: more than the 6 steps done", "got: 5"}) {
    EXPECT_TRUE(contains(message, part)) << message;
  }
}

TEST_F(ResumptionTest, OtherBitsAreRefusedUnlessSaid) {
  write_config();
  train();
  const std::string before = read_file(join_path(output(), "config.toml"));
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
           {"optimizer.learning_rate", "0.5"},
           {"optimizer.weight_decay", "0.5"},
           {"train.batch_size", "3"},
           {"train.gradient_accumulation_steps", "1"},
           {"train.precision", "\"bf16\""},
           {"train.max_grad_norm", "0.5"},
           {"train.freeze", "[\"lm_head.*\"]"},
           {"schedule.name", "\"linear\""},
           {"optimizer.groups.x.pattern", "\"lm_head.*\""}}) {
    const std::string message = resume({"train.steps=7", key + "=" + value});
    EXPECT_TRUE(contains(message, "it would be another run")) << key << message;
    EXPECT_TRUE(contains(message, key + " = ")) << key << message;
    EXPECT_EQ(read_file(join_path(output(), "config.toml")), before) << key;
  }
  EXPECT_EQ(resume({"train.steps=7", "train.batch_size=3", "optimizer.learning_rate=0.5"}, true),
            "");
  EXPECT_EQ(recorder_.steps.back().tokens, 6 * 48 + 72);
  for (const char* const line :
       {"train.batch_size was 2 and is 3 from here on, which makes it another run",
        "optimizer.learning_rate was 0.01 and is 0.5 from here on, which makes it another run",
        "the learning rate was 0.00"}) {
    EXPECT_TRUE(mention(recorder_.warnings, line)) << line;
  }
}

TEST_F(ResumptionTest, WhatChangesNoWeightIsOnlySaid) {
  write_config();
  train();
  EXPECT_EQ(resume({"train.steps=7", "train.eval_every=1", "log.tensorboard=true",
                    "train.keep_checkpoints=1", "train.patience=50"}),
            "");
  EXPECT_TRUE(mention(recorder_.warnings, "train.eval_every was 3 and is 1 from here on"));
  EXPECT_FALSE(mention(recorder_.warnings, "another run"));
}

// Of equal length, so that nothing else would tell.
TEST_F(ResumptionTest, OtherDataOfTheSameLength) {
  write_config();
  train();
  std::vector<int32_t> tokens = walk(131, "train_0");
  tokens[100] = (tokens[100] + 1) % static_cast<int32_t>(kTinyVocabulary);
  write_shard(run_.directory() / "train_0.bin", tokens);
  const std::string message = resume({"train.steps=7"});
  EXPECT_TRUE(contains(message, "other data: it would be another run")) << message;
  EXPECT_TRUE(contains(message, "\"hash\":\"")) << message;
  EXPECT_EQ(resume({"train.steps=7"}, true), "");
  EXPECT_TRUE(mention(recorder_.warnings, "training goes on at the same place in them"));
  EXPECT_EQ(resume({"train.steps=8"}), "") << "from now on these are the data";
}

TEST_F(ResumptionTest, DataOfBeforeThereWereHashes) {
  const Json old = Json::Object{{"tokens", 5}}, now = Json::Object{{"tokens", 5}, {"hash", "x"}};
  EXPECT_TRUE(compare_data({"run", 1}, old, now).empty());
  EXPECT_NE(error_of([&] { compare_data({"run", 1}, now, old); }), "");
}

}  // namespace
}  // namespace cria
