// Trains the runs of an experiment, several at once, each as a 'cria train' of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <set>
#include <vector>

#include "cli/child_process.h"
#include "cli/progress.h"
#include "distributed/communicator.h"
#include "experiment/run_plan.h"
#include "experiment/run_result.h"

namespace cria {

struct QueueOptions {
  int at_once;
  int threads;  // of each run
  const std::atomic<bool>& stop;
  Communicator& ranks;  // that share the runs
};

class TrainingQueue {
 public:
  struct Progress {
    size_t runs = 0;
    int64_t steps = 0;
  };

  // results: of plan.runs, in their order; what is finished there is not run again. total: the sum
  // over however many calls of train().
  TrainingQueue(const RunPlan& plan, std::vector<RunResult>& results, const Progress& total,
                const QueueOptions& options);

  // Trains those of these runs (indices of plan.runs) that are pending. False when stopped: then
  // each of those that were under way has a checkpoint. Error when a run fails for another reason
  // than a loss that is not finite; the others are stopped in the same way. Every rank trains its
  // share, and then has the results of all.
  bool train(const std::vector<size_t>& runs);

  void finish() { bar_.finish(); }

 private:
  struct Running {
    size_t run;
    ChildProcess process;
  };

  bool train_own(const std::vector<size_t>& runs);
  void show();
  void count(size_t run);
  void end(const Running& running, int exit_code);

  const RunPlan& plan_;
  std::vector<RunResult>& results_;
  QueueOptions options_;
  ProgressBar bar_;
  std::vector<Running> running_;  // their processes
  Progress total_, done_;         // done_: of runs that are done
  std::set<size_t> counted_;      // these, which a choice and what follows it both hold
};

}  // namespace cria
