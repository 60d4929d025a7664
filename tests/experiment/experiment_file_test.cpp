// The file of an experiment: what it says, and what it must not.
#include "experiment/experiment_file.h"

#include <gtest/gtest.h>

#include "cria/base/file.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

class ExperimentFile : public testing::Test {
 public:
  ExperimentFile() {
    write_file(directory_ / "base.toml", "[data]\ntrain = \"t.bin\"\n\n[train]\nsteps = 7\n");
  }

  Experiment read(const std::string& text) const {
    const std::string path = directory_ / "x.toml";
    write_file(path, "base = \"" + (directory_ / "base.toml") + "\"\n" + text);
    return read_experiment(path);
  }

  // Every part is in the message of the error.
  void expect_error(const std::string& text, const std::vector<std::string>& parts) const {
    const std::string message = error_of([&] { read(text); });
    for (const std::string& part : parts) {
      EXPECT_NE(message.find(part), message.npos) << part << " is not in: " << message;
    }
  }

  static constexpr const char* kTwo = "seeds = [1, 2]\n[variants.a]\n[variants.b]\n";

 private:
  TemporaryDirectory directory_;
};

TEST_F(ExperimentFile, SaysWhatThereIs) {
  const Experiment all = read(
      "seeds = [3, 1]\nsweep_seeds = 2\nmatch = \"parameters\"\n"
      "[common]\ntrain.steps = 9\n"
      "[variants.first]\n"
      "[variants.other]\nmodel.tie_word_embeddings = true\n"
      "[variants.wide]\nmatch = \"width\"\nmodel.hidden_size = 64\n"
      "[sweep]\noptimizer.learning_rate = [1e-3, 2e-3]\nschedule.warmup_steps = [1]\n");
  EXPECT_EQ(all.seeds, (std::vector<int64_t>{3, 1}));
  EXPECT_EQ(all.sweep_seeds, 2);
  ASSERT_EQ(all.common.size(), 3u);
  EXPECT_EQ(all.common[1].key, "train.steps");
  EXPECT_EQ(all.common[1].value, TomlValue{int64_t{7}});
  EXPECT_EQ(all.common[2].value, TomlValue{int64_t{9}});
  ASSERT_EQ(all.variants.size(), 3u);
  EXPECT_EQ(all.variants[0].name, "first");
  EXPECT_FALSE(all.variants[0].match_parameters);  // the one that others are matched with
  EXPECT_TRUE(all.variants[0].settings.empty());
  EXPECT_TRUE(all.variants[1].match_parameters);
  ASSERT_EQ(all.variants[1].settings.size(), 1u);
  EXPECT_EQ(all.variants[1].settings[0].key, "model.tie_word_embeddings");
  EXPECT_TRUE(all.variants[1].settings[0].where.ends_with("x.toml:9:1"));
  EXPECT_FALSE(all.variants[2].match_parameters);
  ASSERT_EQ(all.sweep.size(), 2u);
  EXPECT_EQ(all.sweep[0].key, "optimizer.learning_rate");
  EXPECT_EQ(all.sweep[0].values.size(), 2u);
}

TEST_F(ExperimentFile, UnknownKeys) {
  expect_error(std::string("sees = [1]\n") + kTwo,
               {"x.toml:2:1: unknown key 'sees'", "did you mean 'seeds'?"});
  expect_error(std::string(kTwo) + "[trian]\nsteps = 1\n",
               {"x.toml:6:1: unknown key 'trian.steps'", "[common]"});
}

TEST_F(ExperimentFile, WhatIsMissing) {
  expect_error("[variants.a]\n", {"x.toml: seeds are missing"});
  expect_error("seeds = [1]\n", {"x.toml: no variants", "[variants.NAME]"});
  expect_error("seeds = [1]\nsweep_seeds = 2\n[variants.a]\n", {"sweep_seeds", "at most 1"});
  TemporaryDirectory other;
  write_file(other / "y.toml", kTwo);
  EXPECT_NE(error_of([&] { read_experiment(other / "y.toml"); }).find("base is missing"),
            std::string::npos);
}

TEST_F(ExperimentFile, WrongValues) {
  expect_error("seeds = [1, 2, 1]\n[variants.a]\n", {"x.toml:2:1: seed 1 is given twice"});
  expect_error("seeds = 3\n[variants.a]\n", {"x.toml:2:1: seeds are a list"});
  expect_error("seeds = [1.5]\n[variants.a]\n", {"x.toml:2:1: seeds", "integer"});
  expect_error(std::string("match = \"size\"\n") + kTwo, {"x.toml:2:1: match", "parameters"});
  expect_error("seeds = [1]\n[variants.\"a b\"]\n", {"x.toml:3:1: a variant's name", "'a b'"});
  expect_error(std::string(kTwo) + "[sweep]\ntrain.steps = 3\n", {"x.toml:6:1: a sweep is a list"});
  expect_error(std::string(kTwo) + "[sweep]\ntrain.steps = []\n",
               {"x.toml:6:1: a sweep is a list"});
}

TEST_F(ExperimentFile, WhatComesOfItIsNotEndless) {
  std::string seeds = "0", variants;
  for (int i = 1; i <= 100; ++i) seeds += "," + std::to_string(i);
  for (int i = 0; i <= 1000; ++i) variants += "[variants.v" + std::to_string(i) + "]\n";
  expect_error("seeds = [1]\n" + variants, {"too many variants", "at most 1000"});
  const std::string sweep = "[sweep]\ntrain.steps = [" + seeds + "]\n";
  expect_error("seeds = [" + seeds + "]\n[variants.a]\n" + sweep,
               {"too many runs", "at most 10000"});
  for (int i = 101; i <= 10000; ++i) seeds += "," + std::to_string(i);
  expect_error("seeds = [" + seeds + "]\n[variants.a]\n", {"too many seeds", "at most 10000"});
}

TEST_F(ExperimentFile, KeysThatAreNotFree) {
  expect_error(std::string(kTwo) + "train.seed = 4\n",
               {"x.toml:5:1: train.seed is the experiment's to choose"});
  expect_error(std::string(kTwo) + "[common]\ntrain.output_dir = \"x\"\n",
               {"x.toml:6:1: train.output_dir is the experiment's"});
  expect_error(std::string(kTwo) + "[sweep]\ntrain.seed = [4]\n", {"x.toml:6:1: train.seed"});
  expect_error(
      std::string(kTwo) + "train.steps = 4\n[sweep]\ntrain.steps = [4, 5]\n",
      {"x.toml:5:1: train.steps is swept over, and variant 'b' sets it", "the sweep is at"});
  expect_error(std::string(kTwo) + "match = \"parameters\"\nmodel.hidden_size = 4\n",
               {"x.toml:6:1: model.hidden_size is what match"});
}

}  // namespace
}  // namespace cria
