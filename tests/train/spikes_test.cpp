// A loss that jumps up and stays there, and runs that go back for it.
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "cria/exchange/load_model.h"
#include "support/thread_ranks.h"
#include "support/tiny_run.h"

namespace cria {
namespace {

struct Killed : std::runtime_error {
  Killed() : std::runtime_error("killed") {}
};

// Spoils the model after step 62, the first `times` that the run comes there.
class Spoiler : public Recorder {
 public:
  explicit Spoiler(int times) : times_(times) {}

  const Trainer* trainer = nullptr;
  int64_t returned = 0;
  int64_t kill_after = 0, stop_after_return = 0;  // steps, once it has returned; 0: none

  void stepped(const StepMetrics& metrics) override {
    Recorder::stepped(metrics);
    if (returned > 0 && metrics.step == kill_after) throw Killed();
    if (returned > 0 && metrics.step == stop_after_return) stop = true;
    if (metrics.step != 62 || times_-- <= 0) return;
    Parameters& parameters = const_cast<Llama&>(trainer->model()).parameters();
    float* const value = parameters.mutable_value();
    for (int64_t i = 0; i < parameters.plane_size(); ++i) value[i] *= -4;
  }
  void warned(const std::string& line) override {
    Recorder::warned(line);
    returned += line.starts_with("back to step");
  }
  bool was_warned(const std::string& text) const {
    return std::ranges::any_of(warnings,
                               [&](const std::string& line) { return contains(line, text); });
  }

 private:
  int times_;
};

class Spikes : public testing::Test {
 protected:
  RunConfig config(const std::string& name) const {
    RunConfig config = run_.config(name);
    config.train.steps = config.schedule.decay_steps = 90;
    config.train.eval_every = 0;
    config.train.checkpoint_every = 30;
    config.train.on_spike = "return";
    config.optimizer.learning_rate = 1e-3;
    config.log.diagnostics = 10;
    return config;
  }

  static void train(const RunConfig& config, Spoiler& spoiler, bool resume = false,
                    Communicator* ranks = nullptr) {
    Trainer trainer(config, resume, spoiler, false, ranks);
    spoiler.trainer = &trainer;
    trainer.run(spoiler.stop);
  }

  static std::string weights(const RunConfig& config) {
    return read_file(checkpoint_path(config.train.output_dir, 90) + "/model.safetensors");
  }

  const TinyRun run_;
};

TEST_F(Spikes, TheRunGoesBackAndOnWithOtherData) {
  Spoiler spoiler(1);
  train(config("run"), spoiler);
  EXPECT_TRUE(spoiler.was_warned("jumped up by more than a fifth after step 62"));
  EXPECT_TRUE(spoiler.was_warned("back to step 60, and on with the data that follows step 72"));
  EXPECT_EQ(spoiler.returned, 1);
  // The steps that were undone are in no log.
  std::vector<int64_t> steps;
  std::vector<double> losses;
  for (const Json& line : read_metrics(config("run"))) {
    if (!line.find("loss")) continue;
    steps.push_back(line.find("step")->as_int("step"));
    losses.push_back(line.find("loss")->as_double("loss"));
  }
  ASSERT_EQ(steps.size(), 90u);
  for (int64_t i = 0; i < 90; ++i) EXPECT_EQ(steps[i], i + 1);
  EXPECT_LT(*std::max_element(losses.begin() + 62, losses.end()), 1.2 * losses[61]);
  EXPECT_EQ(list_checkpoints(config("run").train.output_dir).size(), 3u);
  // Twelve steps were read beside those of a run that nothing disturbed.
  Spoiler none(0);
  train(config("undisturbed"), none);
  EXPECT_TRUE(none.warnings.empty());
  const auto windows = [&](const std::string& name) {
    const std::string path = checkpoint_path(config(name).train.output_dir, 90) + "/trainer.json";
    return Json::parse(read_file(path), path).count_at("windows", path);
  };
  EXPECT_EQ(windows("run"), windows("undisturbed") + 12 * 4);
}

TEST_F(Spikes, KilledOrStoppedAfterwardsTheBitsAreTheSame) {
  Spoiler whole(1);
  train(config("whole"), whole);
  Spoiler killed(1), again(1);
  killed.kill_after = 63;
  EXPECT_THROW(train(config("killed"), killed), Killed);
  train(config("killed"), again, true);
  EXPECT_EQ(again.returned, 1);
  EXPECT_TRUE(weights(config("killed")) == weights(config("whole")));
  Spoiler stopped(1), further(0);
  stopped.stop_after_return = 67;
  train(config("stopped"), stopped);
  train(config("stopped"), further, true);
  EXPECT_TRUE(weights(config("stopped")) == weights(config("whole")));
}

TEST_F(Spikes, AllRanksGoBackTogether) {
  RunConfig alone = config("alone"), shared = config("shared");
  for (RunConfig* each : {&alone, &shared}) {
    each->train.data_parallel = 2;
    each->log.diagnostics = 0;
  }
  Spoiler one(1);
  train(alone, one);
  const auto errors = ThreadRanks::run(2, [&](Communicator& ranks) {
    Spoiler spoiler(1);
    train(shared, spoiler, false, &ranks);
    EXPECT_EQ(spoiler.returned, 1);
  });
  for (const std::string& error : errors) EXPECT_EQ(error, "");
  EXPECT_TRUE(weights(shared) == weights(alone));
}

// What was damaged is set aside once, though the directory is opened again.
TEST_F(Spikes, AfterADamagedCheckpointToo) {
  const RunConfig c = config("run");
  Spoiler first(0), second(1);
  first.stop_after = 40;
  train(c, first);
  const std::string damaged = checkpoint_path(c.train.output_dir, 40);
  write_file(damaged + "/model.safetensors", "damaged");
  train(c, second, true);
  EXPECT_TRUE(second.was_warned("back to step 60"));
  EXPECT_EQ(list_checkpoints(c.train.output_dir).size(), 3u);
  EXPECT_FALSE(weights(c).empty());
}

TEST_F(Spikes, OnlyAWarningUnlessAskedFor) {
  RunConfig warning = config("warning");
  warning.train.on_spike = "warn";
  Spoiler spoiler(1);
  train(warning, spoiler);
  EXPECT_EQ(spoiler.warnings.size(), 1u);
  EXPECT_EQ(spoiler.steps.size(), 90u);
  EXPECT_EQ(spoiler.returned, 0);
}

TEST_F(Spikes, WithoutACheckpointItGoesOn) {
  RunConfig none = config("none");
  none.train.checkpoint_every = 0;
  Spoiler spoiler(1);
  train(none, spoiler);
  EXPECT_TRUE(spoiler.was_warned("no checkpoint of before that"));
  EXPECT_EQ(spoiler.steps.size(), 90u);
}

TEST_F(Spikes, AgainAndAgainIsTheEnd) {
  Spoiler spoiler(9);
  RunConfig c = config("run");
  EXPECT_TRUE(contains(error_of([&] { train(c, spoiler); }), "again and again"));
  EXPECT_EQ(spoiler.returned, 3);
  EXPECT_TRUE(exists(checkpoint_path(c.train.output_dir, 60)));
}

TEST_F(Spikes, NotWithAHeadThatIsUntied) {
  RunConfig c = config("run");
  c.model.tie_word_embeddings = true;
  c.train.untie_at_step = 5;
  Spoiler spoiler(0);
  EXPECT_TRUE(contains(error_of([&] { train(c, spoiler); }), "train.on_spike"));
}

}  // namespace
}  // namespace cria
