// What a run came to, from its directory.
#pragma once

#include <cstdint>
#include <vector>

#include "experiment/run_plan.h"

namespace cria {

enum class RunStatus {
  pending,  // not begun, or to be gone on with
  finished,
  diverged,  // its loss was not finite, or ended a tenth above a guess's, ln V
};

const char* status_name(RunStatus status);

struct Evaluated {
  int64_t step = 0;
  double tokens = 0, loss = 0;  // tokens: trained on until then
};

struct RunResult {
  RunStatus status = RunStatus::pending;
  int64_t steps = 0, tokens = 0;
  double seconds = 0;  // of training alone
  // Tokens per second of processor time, the median of its steps: what a run costs, whoever else
  // was on the machine. 0 where the metrics do not say.
  double tokens_per_cpu_second = 0;
  double train_loss = 0;  // mean over the last tenth of the steps
  double val_loss = 0;    // at the end
  std::vector<Evaluated> evaluations;
};

RunResult read_run_result(const PlannedRun& run);

// Only how many steps it has done so far; cheap.
int64_t steps_done(const PlannedRun& run);

// The validation loss when so many tokens had been trained on, between two evaluations on the line
// through both. Before the first evaluation: the first; after the last: the last.
double loss_at_tokens(const RunResult& result, double tokens);

}  // namespace cria
