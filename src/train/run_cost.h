// What a run will take, before it starts.
#pragma once

#include <cstdint>
#include <string>

#include "cria/train/run_config.h"
#include "train/run_inputs.h"

namespace cria {

struct RunCost {
  int64_t parameters = 0, without_embedding = 0;  // a head of its own counts as no embedding
  int64_t trained = 0;                            // parameters that are not frozen
  int64_t steps = 0, tokens = 0;                  // tokens: that all steps read
  double epochs = 0;                              // of the training data
  double flops = 0;                               // of training and evaluations
  double peak = 0;                                // FLOP/s of this machine at most
  double seconds = 0;                             // at kUsualShare of the peak
  int64_t state_bytes = 0;                        // weights, gradients, moments
  int64_t activation_bytes = 0;                   // what a pass keeps, and its scratch
  double available_bytes = 0;                     // of the machine, or its control group
  int64_t checkpoint_bytes = 0;                   // of each
  int64_t disk_bytes = 0;                         // of all that are there at the same time
  double free_disk_bytes = 0;                     // where output_dir is, or will be
  std::string output_dir;

  int64_t memory_bytes() const { return state_bytes + activation_bytes; }
};

// Training reaches about this share of the peak.
inline constexpr double kUsualShare = 0.5;

// config as open_inputs leaves it. Measures the machine's peak; allocates no model. Error for what
// would be one when training starts: patterns without a parameter, a directory that holds a run or
// cannot be written to.
RunCost cost_of(const RunConfig& config, const RunInputs& inputs, bool resume);

}  // namespace cria
