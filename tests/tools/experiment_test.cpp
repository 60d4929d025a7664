// cria experiment: several runs and what they say together.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <thread>

#include "support/cli.h"

namespace cria {
namespace {

class ExperimentTest : public CliTest {
 public:
  // text: after the seeds.
  void write_experiment(const std::string& text, const std::string& seeds = "[1, 2]") const {
    write("x.toml", "base = \"tiny.toml\"\nseeds = " + seeds + "\n" + text);
  }

  Json results() const { return Json::parse(read("experiments/x/results.json"), "results.json"); }

  // The lines of results.csv without their seconds, which are the sixth of eight cells.
  std::string losses() const {
    std::string kept;
    int cell = 0;
    for (const char c : read("experiments/x/results.csv")) {
      if (cell != 5) kept += c;
      cell = c == '\n' ? 0 : cell + (c == ',');
    }
    return kept;
  }

  static bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != text.npos;
  }
};

constexpr const char* kTwo =
    "[variants.untied]\n[variants.tied]\nmodel.tie_word_embeddings = true\n";

TEST_F(ExperimentTest, ComparesVariants) {
  write_experiment(kTwo);
  const ProcessResult result = run({"experiment", "x.toml"});
  EXPECT_TRUE(contains(result.out, "variant")) << result.out;
  EXPECT_TRUE(contains(result.out, "tied - untied = ")) << result.out;
  EXPECT_TRUE(contains(result.out, "(95%, 2 seeds, paired)")) << result.out;
  EXPECT_TRUE(contains(result.err, "tied,seed=2: val_loss ")) << result.err;
  const Json json = results();
  EXPECT_EQ(*json.find("complete"), Json(true));
  EXPECT_EQ(json.find("runs")->as_array("runs").size(), 4u);
  EXPECT_TRUE(read("experiments/x/results.csv")
                  .starts_with("variant,seed,status,steps,tokens,seconds,parameters,"
                               "train_loss,val_loss\nuntied,1,finished,4,64,"));
  // A run is an ordinary run: the same weights as 'cria train' makes.
  run({"train", "tiny.toml", "train.output_dir=\"alone\"", "train.seed=2",
       "model.tie_word_embeddings=true"});
  EXPECT_EQ(read("experiments/x/runs/tied,seed=2/checkpoints/step-00000004/model.safetensors"),
            read("alone/checkpoints/step-00000004/model.safetensors"));
  // Done is done.
  const std::string before = read("experiments/x/results.json");
  EXPECT_EQ(run({"experiment", "x.toml"}).out, result.out);
  EXPECT_EQ(read("experiments/x/results.json"), before);
  // One at a time gives the same.
  run({"experiment", "x.toml", "--out", "experiments/y", "--at-once", "1"});
  const std::string first = losses();
  std::filesystem::rename(path("experiments/y"), path("experiments/z"));
  std::filesystem::remove_all(path("experiments/x"));
  std::filesystem::rename(path("experiments/z"), path("experiments/x"));
  EXPECT_EQ(losses(), first);
}

TEST_F(ExperimentTest, TheSameInOtherWordsDiffersByNothing) {
  write_experiment("[variants.a]\n[variants.b]\nmodel.tie_word_embeddings = false\n");
  const ProcessResult result = run({"experiment", "x.toml"});
  EXPECT_TRUE(contains(result.err, "warning: variants 'a' and 'b' are the same config"));
  EXPECT_TRUE(contains(result.out,
                       "b - a = +0.0000 +- 0.0000 (95%, 2 seeds, paired): no "
                       "difference found; "))
      << result.out;
  const Json difference = *results().find("variants")->as_array("v")[1].find("difference");
  EXPECT_EQ(difference.find("mean")->as_double("mean"), 0.0);
  EXPECT_EQ(difference.find("half_width_95")->as_double("half"), 0.0);
}

TEST_F(ExperimentTest, AKnownTruthIsFound) {
  // A learning rate of 0 learns nothing.
  write_experiment(
      "[common]\ntrain.steps = 30\ntrain.checkpoint_every = 0\n"
      "[variants.learns]\noptimizer.learning_rate = 1e-2\n"
      "[variants.stays]\noptimizer.learning_rate = 0\n",
      "[1, 2, 3]");
  const ProcessResult result = run({"experiment", "x.toml"});
  EXPECT_TRUE(contains(result.out, "(95%, 3 seeds, paired): learns is better")) << result.out;
}

TEST_F(ExperimentTest, ASweepChoosesWithTheFirstSeeds) {
  write_experiment(std::string(kTwo) +
                   "[sweep]\noptimizer.learning_rate = [0.0, 1e-2]\ntrain.steps = [20]\n");
  const ProcessResult result = run({"experiment", "x.toml"});
  EXPECT_TRUE(contains(result.out, "variant  learning_rate  steps  val_loss")) << result.out;
  EXPECT_TRUE(contains(result.out, "\ntied              0.01     20 ")) << result.out;
  EXPECT_TRUE(read("experiments/x/results.csv")
                  .starts_with("variant,seed,optimizer.learning_rate,train.steps,status,"));
  // Two variants at two points with the first seed, at one with the second.
  EXPECT_EQ(results().find("runs")->as_array("runs").size(), 6u);
}

TEST_F(ExperimentTest, ARunThatDivergesIsAResult) {
  write_experiment(
      "[common]\ntrain.steps = 40\n[variants.fine]\n"
      "[variants.wild]\noptimizer.learning_rate = 1e30\ntrain.max_grad_norm = 0\n");
  const ProcessResult result = run({"experiment", "x.toml"});
  EXPECT_TRUE(contains(result.err, "wild,seed=1: diverged at step ")) << result.err;
  EXPECT_TRUE(contains(result.out, "wild diverged with every seed")) << result.out;
  EXPECT_TRUE(contains(read("experiments/x/results.csv"), "wild,2,diverged,"));
  // It is not tried again.
  const std::string before = read("experiments/x/results.csv");
  run({"experiment", "x.toml"});
  EXPECT_EQ(read("experiments/x/results.csv"), before);
}

TEST_F(ExperimentTest, DryRunTrainsNothing) {
  write_experiment(std::string(kTwo) + "[sweep]\noptimizer.learning_rate = [1e-3, 1e-2]\n");
  const ProcessResult result = run({"experiment", "x.toml", "--dry-run"});
  EXPECT_TRUE(contains(result.out, "parameters")) << result.out;
  EXPECT_TRUE(contains(result.out, "tied, learning_rate=0.01")) << result.out;
  EXPECT_TRUE(contains(result.out, "\n6 runs, 1 at once: about ")) << result.out;
  EXPECT_FALSE(std::filesystem::exists(path("experiments")));
}

// Killed at moments that follow each other by a growing delay, and started again: the same results,
// times apart.
TEST_F(ExperimentTest, KilledAndStartedAgain) {
  write_experiment(std::string("[common]\ntrain.steps = 60\n") + kTwo);
  run({"experiment", "x.toml", "--out", "experiments/whole"});
  int killed = 0;
  for (int i = 0; i < 20; ++i) {
    Process process(cria_binary(), {"experiment", "x.toml"}, path(""));
    std::this_thread::sleep_for(std::chrono::milliseconds(5 + 7 * i));
    process.send(SIGKILL);
    killed += process.wait().exit_code == 128 + SIGKILL;
  }
  EXPECT_GT(killed, 0);
  run({"experiment", "x.toml"});
  const std::string after = losses();
  std::filesystem::remove_all(path("experiments/x"));
  std::filesystem::rename(path("experiments/whole"), path("experiments/x"));
  EXPECT_EQ(losses(), after);
}

TEST_F(ExperimentTest, InterruptedItSaysSo) {
  write_experiment(std::string("[common]\ntrain.steps = 100000\n") + kTwo);
  Process process(cria_binary(), {"experiment", "x.toml"}, path(""));
  const std::string metrics = path("experiments/x/runs/untied,seed=1/metrics.jsonl");
  for (int i = 0; i < 1000 && !std::filesystem::exists(metrics); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  process.send(SIGTERM);
  const ProcessResult result = process.wait();
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_TRUE(contains(result.err, "the same command goes on")) << result.err;
  EXPECT_FALSE(std::filesystem::is_empty(path("experiments/x/runs/untied,seed=1/checkpoints")));
}

TEST_F(ExperimentTest, WhatItRefuses) {
  write_experiment("[variants.a]\n[variants.b]\nmodel.hiden_size = 3\n");
  ProcessResult result = cria({"experiment", "x.toml"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.err, "x.toml:5:1: unknown key 'model.hiden_size'")) << result.err;
  EXPECT_TRUE(contains(result.err, "did you mean 'model.hidden_size'?")) << result.err;
  EXPECT_FALSE(std::filesystem::exists(path("experiments")));

  write_experiment(kTwo);
  run({"experiment", "x.toml"});
  write_experiment(std::string("[common]\noptimizer.beta1 = 0.5\n") + kTwo);
  result = cria({"experiment", "x.toml"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.err, "results of another experiment")) << result.err;
  EXPECT_TRUE(contains(result.err, "optimizer.beta1 = 0.5, not 0.9")) << result.err;

  // A run that fails for another reason ends the experiment with its message.
  write_experiment(std::string("[common]\nmodel.vocab_size = 100\n") + kTwo);
  std::filesystem::remove_all(path("experiments"));
  std::filesystem::create_directories(path("experiments/x/runs/untied,seed=1"));
  write("experiments/x/runs/untied,seed=1/checkpoints", "a file");
  result = cria({"experiment", "x.toml"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.err, "a run failed, with exit code 1")) << result.err;
  EXPECT_TRUE(contains(result.err, "cria.log")) << result.err;
}

}  // namespace
}  // namespace cria
