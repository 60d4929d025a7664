#include "cli/training_queue.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>
#include <thread>

#include "base/number.h"
#include "cli/commands.h"
#include "cria/base/error.h"
#include "cria/base/file.h"

namespace cria {
namespace {

// What a run printed last, for the message of an experiment that fails with it.
std::string end_of_log(const std::string& path) {
  constexpr size_t kMost = 600;
  const std::string text = read_file(path);
  const size_t error = text.rfind("cria: error:");
  return text.substr(error != text.npos ? error : text.size() - std::min(text.size(), kMost));
}

std::string log_of(const PlannedRun& run) {
  return join_path(run.config.train.output_dir, "cria.log");
}

}  // namespace

TrainingQueue::TrainingQueue(const RunPlan& plan, std::vector<RunResult>& results,
                             const Progress& total, const QueueOptions& options)
    : plan_(plan),
      results_(results),
      options_(options),
      bar_(stderr, "experiment"),
      total_(total) {}

bool TrainingQueue::train(const std::vector<size_t>& runs) {
  Communicator& ranks = options_.ranks;
  std::vector<size_t> own;
  for (size_t i = 0; i < runs.size(); ++i) {
    if (static_cast<int>(i) % ranks.size() == ranks.rank()) own.push_back(runs[i]);
  }
  ranks.set_timeout(std::numeric_limits<double>::infinity());
  const bool stopped = ranks.any(!train_own(own));
  // After a stop too: what the others have finished belongs to the results.
  for (const size_t run : runs) results_[run] = read_run_result(plan_.runs[run]);
  return !stopped;
}

bool TrainingQueue::train_own(const std::vector<size_t>& runs) {
  auto next = runs.begin();
  bool stopping = false;
  while (next != runs.end() || !running_.empty()) {
    if (options_.stop && !stopping) {
      stopping = true;
      for (const Running& each : running_) each.process.terminate();
    }
    if (stopping) next = runs.end();
    while (next != runs.end() && static_cast<int>(running_.size()) < options_.at_once) {
      const size_t index = *next++;
      const PlannedRun& run = plan_.runs[index];
      if (results_[index].status != RunStatus::pending) {
        count(index);
        continue;
      }
      const std::string config = write_planned(run);
      running_.push_back({index, ChildProcess({"train", config, "--resume", "--threads",
                                               std::to_string(options_.threads)},
                                              log_of(run))});
    }
    show();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    for (size_t i = 0; i < running_.size();) {
      const std::optional<int> exit_code = running_[i].process.exit_code();
      if (!exit_code) {
        ++i;
        continue;
      }
      const Running ended = std::move(running_[i]);
      running_.erase(running_.begin() + static_cast<ptrdiff_t>(i));
      end(ended, *exit_code);
    }
  }
  return !stopping;
}

void TrainingQueue::show() {
  int64_t steps = done_.steps;
  for (const Running& each : running_) steps += steps_done(plan_.runs[each.run]);
  bar_.update(steps, total_.steps,
              std::to_string(done_.runs) + " of " + std::to_string(total_.runs) + " runs done");
}

void TrainingQueue::count(size_t run) {
  if (!counted_.insert(run).second) return;
  ++done_.runs;
  done_.steps += plan_.runs[run].config.train.steps;
}

void TrainingQueue::end(const Running& running, int exit_code) {
  const PlannedRun& run = plan_.runs[running.run];
  if (exit_code == kInterrupted) return;
  RunResult& result = results_[running.run] = read_run_result(run);
  if (result.status == RunStatus::pending) {
    for (const Running& each : running_) each.process.terminate();
    for (Running& each : running_) {
      while (!each.process.exit_code()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    running_.clear();
    bar_.finish();
    throw Error("a run failed, with exit code " + std::to_string(exit_code),
                {.where = log_of(run),
                 .got = end_of_log(log_of(run)),
                 .hint = "mend the cause; the same command goes on with what is left"});
  }
  count(running.run);
  bar_.note(run.name + ": " +
            (result.status == RunStatus::finished
                 ? "val_loss " + fixed(result.val_loss, 4) + "  " + short_duration(result.seconds)
                 : "diverged at step " + std::to_string(result.steps)));
}

}  // namespace cria
