// What a run will take, before it starts.
#pragma once

#include <cstdint>

#include "experiment/run_plan.h"

namespace cria {

struct RunEstimate {
  int64_t bytes = 0;   // of memory: weights, gradients, moments, activations
  double flops = 0;    // of training alone
  double seconds = 0;  // evaluations included; checkpoints are not
};

// Times a few steps of the run's model on as many threads as max_threads() says.
RunEstimate estimate(const PlannedRun& run);

}  // namespace cria
