// The runs of an experiment side by side: each variant at its best, and how far from the first.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "cria/base/json.h"
#include "experiment/experiment_file.h"
#include "experiment/run_plan.h"
#include "experiment/run_result.h"
#include "experiment/statistics.h"

namespace cria {

// Of losses of the same seed, a variant's minus the first variant's: positive is worse.
struct Difference {
  Sample sample;
  double half_width = 0;  // see half_width_95

  bool is_certain() const { return std::abs(sample.mean) > half_width; }
};

struct VariantResult {
  size_t point = 0;  // the best of the sweep, which all numbers are of
  int64_t parameters = 0;
  size_t runs = 0, diverged = 0;     // of those that are done
  Sample val_loss;                   // of the finished ones, as all that follows
  double tokens_per_cpu_second = 0;  // the median
  // From the first variant's, over the seeds that finished in both: at the end, and when both had
  // spent as many tokens, or as much time (tokens by the variant's speed), as the one that spent
  // less.
  Difference at_end, at_tokens, at_seconds;
  Difference log_speed;  // the logarithm of tokens_per_cpu_second, minus the first variant's
};

struct Comparison {
  std::vector<VariantResult> variants;
  bool complete = false;  // nothing is pending
};

// The points of the sweep that a variant is compared at: the lowest mean validation loss over the
// first sweep_seeds seeds. A diverged run's loss is infinite, a pending one's too.
std::vector<size_t> best_points(const Experiment& experiment, const RunPlan& plan,
                                const std::vector<RunResult>& results);

// results: of plan.runs, in their order.
Comparison compare(const Experiment& experiment, const RunPlan& plan,
                   const std::vector<RunResult>& results);

// "tied - untied = +0.021 +- 0.006 (95%, 5 seeds, paired): untied is better; 8% fewer parameters;
// same speed"
std::string verdict(const Experiment& experiment, const Comparison& comparison, size_t variant);

Json results_json(const Experiment& experiment, const RunPlan& plan,
                  const std::vector<RunResult>& results, const Comparison& comparison);

// variant,seed, the keys of the sweep, status,steps,tokens,seconds,parameters,train_loss,val_loss:
// a line for each run that is done.
std::string results_csv(const Experiment& experiment, const RunPlan& plan,
                        const std::vector<RunResult>& results);

}  // namespace cria
