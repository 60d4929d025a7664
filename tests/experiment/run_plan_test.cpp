// The runs of an experiment, planned.
#include "experiment/run_plan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <set>

#include "support/errors.h"
#include "support/tiny_run.h"

namespace cria {
namespace {

class RunPlanTest : public testing::Test {
 public:
  // An experiment with the tiny run's config as its base; text: from [variants] on.
  RunPlan plan(const std::string& text) const {
    const TemporaryDirectory& directory = run_.directory();
    write_file(directory / "base.toml", to_toml(run_.config("unused")));
    write_file(directory / "x.toml",
               "base = \"" + (directory / "base.toml") + "\"\nseeds = [1, 2, 3]\n" + text);
    experiment_ = read_experiment(directory / "x.toml");
    return plan_runs(experiment_, directory / "out");
  }

  std::string error(const std::string& text) const {
    return error_of([&] { plan(text); });
  }

  TinyRun run_;
  mutable Experiment experiment_;
};

TEST_F(RunPlanTest, EachVariantPointAndSeed) {
  const RunPlan all = plan(
      "[variants.a]\n[variants.b]\nmodel.tie_word_embeddings = true\n"
      "[sweep]\noptimizer.learning_rate = [1e-3, 2e-3]\ntrain.precision = [\"fp32\"]\n");
  ASSERT_EQ(all.points.size(), 2u);
  ASSERT_EQ(all.runs.size(), 12u);
  std::set<std::string> names;
  for (const PlannedRun& run : all.runs) {
    names.insert(run.name);
    EXPECT_EQ(run.config.train.seed, run.seed);
    EXPECT_EQ(run.config.model.tie_word_embeddings, run.variant == 1);
    EXPECT_EQ(run.config.optimizer.learning_rate, run.point == 0 ? 1e-3 : 2e-3);
    EXPECT_TRUE(run.config.train.output_dir.ends_with("out/runs/" + run.name));
    EXPECT_EQ(&all.run(run.variant, run.point, run.seed), &run);
  }
  EXPECT_EQ(names.size(), all.runs.size());
  EXPECT_TRUE(names.contains("b,optimizer.learning_rate=0.002,train.precision=\"fp32\",seed=3"));
  EXPECT_TRUE(all.warnings.empty());
  // Tied, there is one table of 37 x 16 fewer.
  EXPECT_EQ(all.run(0, 0, 1).parameters - all.run(1, 0, 1).parameters, kTinyVocabulary * 16);
}

TEST_F(RunPlanTest, AsManyParametersAsTheFirst) {
  const RunPlan all = plan(
      "[variants.a]\nmodel.hidden_size = 64\nmodel.intermediate_size = 160\n"
      "[variants.tied]\nmatch = \"parameters\"\nmodel.tie_word_embeddings = true\n"
      "[variants.deep]\nmatch = \"parameters\"\nmodel.num_hidden_layers = 4\n");
  const double wanted = static_cast<double>(all.run(0, 0, 1).parameters);
  for (const size_t variant : {1u, 2u}) {
    const PlannedRun& run = all.run(variant, 0, 2);
    EXPECT_NEAR(static_cast<double>(run.parameters) / wanted, 1.0, 0.01);
    // What 'cria train' will make of the config is what was counted.
    EXPECT_EQ(run.config.model.hidden_size, run.model.hidden_size);
    EXPECT_EQ(run.config.model.intermediate_size, run.model.intermediate_size);
    EXPECT_EQ(run.model.hidden_size % 4, 0);
    // The MLP keeps its share of the width, roughly.
    EXPECT_NEAR(std::log(static_cast<double>(run.model.intermediate_size) /
                         static_cast<double>(run.model.hidden_size)),
                std::log(1.5), 0.25);
  }
}

TEST_F(RunPlanTest, NoWidthHasAsManyParameters) {
  const std::string message = error(
      "[variants.a]\nmodel.hidden_size = 2\nmodel.num_attention_heads = 1\n"
      "[variants.b]\nmatch = \"parameters\"\nmodel.num_hidden_layers = 64\n");
  EXPECT_NE(message.find("variant 'b'"), message.npos) << message;
  EXPECT_NE(message.find("no width gives it as many parameters"), message.npos) << message;
}

TEST_F(RunPlanTest, UnknownKeysNameTheirPlace) {
  const std::string message = error("[variants.a]\n[variants.b]\nmodel.hiden_size = 3\n");
  EXPECT_NE(message.find("x.toml:5:1: unknown key 'model.hiden_size'"), message.npos) << message;
  EXPECT_NE(message.find("did you mean 'model.hidden_size'?"), message.npos) << message;
}

TEST_F(RunPlanTest, ValidationDataAreNeeded) {
  const std::string message = error("[common]\ndata.val = \"\"\n[variants.a]\n");
  EXPECT_NE(message.find("data.val"), message.npos) << message;
}

TEST_F(RunPlanTest, EqualVariantsAreNamed) {
  const RunPlan all = plan(
      "[variants.a]\n[variants.b]\nmodel.tie_word_embeddings = false\n"
      "[variants.c]\nmodel.tie_word_embeddings = true\n");
  ASSERT_EQ(all.warnings.size(), 1u);
  EXPECT_NE(all.warnings[0].find("'a' and 'b'"), std::string::npos) << all.warnings[0];
}

TEST_F(RunPlanTest, WhatWasBegunIsCompared) {
  const std::string variants = "[variants.a]\n";
  const RunPlan before = plan(variants);
  EXPECT_EQ(difference_from_begun(before.runs[0]), "");
  write_planned(before.runs[0]);
  EXPECT_EQ(difference_from_begun(before.runs[0]), "");
  const RunPlan changed = plan(variants + "optimizer.beta1 = 0.5\n");
  EXPECT_EQ(difference_from_begun(changed.runs[0]), "optimizer.beta1 = 0.5, not 0.9");
  // A file of an earlier version, which did not have the key.
  const std::string path = join_path(before.runs[0].config.train.output_dir, "planned.toml");
  std::string text = read_file(path);
  const std::string line = "beta1 = 0.9\n";
  write_file(path, text.erase(text.find(line), line.size()));
  EXPECT_EQ(difference_from_begun(before.runs[0]), "");
  EXPECT_EQ(difference_from_begun(changed.runs[0]), "optimizer.beta1 = 0.5, not 0.9");
}

}  // namespace
}  // namespace cria
