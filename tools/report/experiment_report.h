// What 'cria experiment' prints.
#pragma once

#include <vector>

#include "experiment/comparison.h"
#include "experiment/run_estimate.h"

namespace cria {

// The runs to come, a line for each variant at each point of the sweep, with what they will take
// when so many run at once. estimates: of each of these, in the order of the plan's first runs.
void print_plan(const Experiment& experiment, const RunPlan& plan,
                const std::vector<RunEstimate>& estimates, int at_once);

// The table, and a verdict for each variant but the first.
void print_comparison(const Experiment& experiment, const RunPlan& plan,
                      const Comparison& comparison);

}  // namespace cria
