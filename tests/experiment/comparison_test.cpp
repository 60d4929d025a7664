// Runs side by side: the choice of the best, differences and verdicts.
#include "experiment/comparison.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cria/base/rng.h"

namespace cria {
namespace {

// Two variants, three seeds, a sweep of two points, of which no file need exist.
class ComparisonTest : public testing::Test {
 public:
  ComparisonTest() {
    experiment_.path = "x.toml";
    experiment_.variants = {{"untied", false, {}}, {"tied", false, {}}};
    experiment_.seeds = {1, 2, 3};
    const Setting low{"optimizer.learning_rate", {0.001}, ""};
    const Setting high{"optimizer.learning_rate", {0.002}, ""};
    experiment_.sweep = {{low.key, {low, high}}};
    plan_.points = {{{low}, "low"}, {{high}, "high"}};
    for (const int64_t seed : experiment_.seeds) {
      for (size_t variant = 0; variant < 2; ++variant) {
        for (size_t point = 0; point < 2; ++point) {
          PlannedRun& run = plan_.runs.emplace_back();
          run.variant = variant;
          run.point = point;
          run.seed = seed;
          run.parameters = variant == 0 ? 1000 : 920;
          results_.push_back({});
        }
      }
    }
  }

  RunResult& result(size_t variant, size_t point, int64_t seed) {
    return results_[static_cast<size_t>(&plan_.run(variant, point, seed) - plan_.runs.data())];
  }

  // A run of 100 steps of 10 tokens whose loss falls from 4 on a line.
  void finish(size_t variant, size_t point, int64_t seed, double loss, double speed = 100) {
    RunResult& run = result(variant, point, seed);
    run.status = RunStatus::finished;
    run.steps = 100;
    run.tokens = 1000;
    run.tokens_per_cpu_second = speed;
    run.val_loss = loss;
    run.evaluations = {{50, 500, (4 + loss) / 2}, {100, 1000, loss}};
  }

  Comparison comparison() const { return compare(experiment_, plan_, results_); }

  Experiment experiment_;
  RunPlan plan_;
  std::vector<RunResult> results_;
};

TEST_F(ComparisonTest, EachAtItsBest) {
  finish(0, 0, 1, 2.0);
  finish(0, 1, 1, 1.9);
  finish(1, 0, 1, 2.1);
  result(1, 1, 1).status = RunStatus::diverged;
  EXPECT_EQ(best_points(experiment_, plan_, results_), (std::vector<size_t>{1, 0}));
  EXPECT_FALSE(comparison().complete);
  for (const int64_t seed : {2, 3}) {
    finish(0, 1, seed, 1.9 + 0.01 * static_cast<double>(seed));
    finish(1, 0, seed, 2.1 + 0.02 * static_cast<double>(seed));
  }
  const Comparison all = comparison();
  EXPECT_TRUE(all.complete);
  EXPECT_EQ(all.variants[1].point, 0u);
  // Differences 0.2, 0.22, 0.23: scipy.stats.ttest_rel(b, a).confidence_interval(0.95).
  EXPECT_NEAR(all.variants[1].at_end.sample.mean, 0.21666666666666667, 1e-12);
  EXPECT_NEAR(all.variants[1].at_end.half_width, 0.037946, 1e-5);
  EXPECT_EQ(verdict(experiment_, all, 1),
            "tied - untied = +0.2167 +- 0.0379 (95%, 3 seeds, paired): untied is better; "
            "8% fewer parameters; same speed");
}

TEST_F(ComparisonTest, WhereTheIntervalHoldsZero) {
  for (const int64_t seed : experiment_.seeds) {
    for (const size_t point : {0u, 1u}) {
      finish(0, point, seed, 2.0);
      finish(1, point, seed, 2.0 + (seed == 2 ? -0.1 : 0.06), 150);
    }
  }
  const std::string text = verdict(experiment_, comparison(), 1);
  EXPECT_NE(text.find(": no difference found; 8% fewer parameters; 50% faster"), text.npos) << text;
}

TEST_F(ComparisonTest, TheSameRunsDifferByNothing) {
  for (const int64_t seed : experiment_.seeds) {
    for (const size_t variant : {0u, 1u}) finish(variant, 0, seed, 1.7 + 0.1 / seed);
  }
  const Comparison all = comparison();
  EXPECT_EQ(all.variants[1].at_end.sample.mean, 0.0);
  EXPECT_EQ(all.variants[1].at_end.half_width, 0.0);
  EXPECT_FALSE(all.variants[1].at_end.is_certain());
}

TEST_F(ComparisonTest, AtEqualTimeTheSlowerHasSeenLess) {
  for (const int64_t seed : experiment_.seeds) {
    finish(0, 0, seed, 2.0, 100);
    finish(1, 0, seed, 2.0, 50);  // at the time when the first one ends it has seen 500 tokens
  }
  const VariantResult tied = comparison().variants[1];
  EXPECT_DOUBLE_EQ(tied.at_end.sample.mean, 0.0);
  EXPECT_DOUBLE_EQ(tied.at_tokens.sample.mean, 0.0);
  EXPECT_DOUBLE_EQ(tied.at_seconds.sample.mean, 1.0);
}

TEST_F(ComparisonTest, DivergedRunsAreCountedAndLeftOut) {
  for (const int64_t seed : experiment_.seeds) {
    finish(0, 0, seed, 2.0);
    finish(1, 0, seed, 2.1);
  }
  result(1, 0, 2).status = RunStatus::diverged;
  Comparison all = comparison();
  EXPECT_EQ(all.variants[1].at_end.sample.count, 2u);
  EXPECT_EQ(all.variants[1].diverged, 1u);
  std::string text = verdict(experiment_, all, 1);
  EXPECT_NE(text.find("1 of 3 tied diverged"), text.npos) << text;
  for (const int64_t seed : experiment_.seeds) result(1, 0, seed).status = RunStatus::diverged;
  text = verdict(experiment_, comparison(), 1);
  EXPECT_EQ(text, "tied diverged with every seed");
}

TEST_F(ComparisonTest, OneSeedGivesNoVerdict) {
  experiment_.seeds = {1};
  finish(0, 0, 1, 2.0);
  finish(1, 0, 1, 1.0);
  const std::string text = verdict(experiment_, comparison(), 1);
  EXPECT_NE(text.find("-1.0000 (1 seed: no interval, so no verdict)"), text.npos) << text;
}

TEST_F(ComparisonTest, AsJsonAndCsv) {
  finish(0, 0, 1, 2.0);
  result(1, 1, 1).status = RunStatus::diverged;
  result(1, 1, 1).val_loss = INFINITY;
  const std::string csv = results_csv(experiment_, plan_, results_);
  EXPECT_EQ(csv,
            "variant,seed,optimizer.learning_rate,status,steps,tokens,seconds,parameters,"
            "train_loss,val_loss\n"
            "untied,1,0.001,finished,100,1000,0.0,1000,0.0,2.0\n"
            "tied,1,0.002,diverged,0,0,0.0,920,0.0,\n");
  const Json json = results_json(experiment_, plan_, results_, comparison());
  EXPECT_EQ(*json.find("reference"), Json("untied"));
  EXPECT_EQ(*json.find("complete"), Json(false));
  EXPECT_EQ(json.find("runs")->as_array("runs").size(), 2u);
  EXPECT_EQ(json.find("variants")->as_array("variants").size(), 2u);
}

// Two sets of seeds of the same variant: a difference is found in about 5 of 100 experiments.
TEST_F(ComparisonTest, AFalseDifferenceIsRarelyFound) {
  Rng rng(2, "false differences");
  const int experiments = 2000;
  int found = 0;
  for (int i = 0; i < experiments; ++i) {
    for (const int64_t seed : experiment_.seeds) {
      for (const size_t variant : {0u, 1u}) finish(variant, 0, seed, 2.0 + 0.01 * rng.normal());
    }
    found += comparison().variants[1].at_end.is_certain();
  }
  EXPECT_NEAR(found, 0.05 * experiments, 5 * std::sqrt(experiments * 0.05 * 0.95));
}

}  // namespace
}  // namespace cria
