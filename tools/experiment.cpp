// cria experiment: variants of a config, trained with several seeds and compared.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "cli/commands.h"
#include "cli/interruption.h"
#include "cli/options.h"
#include "cli/training_queue.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/base/parallel.h"
#include "distributed/communicator.h"
#include "report/experiment_report.h"
#include "report/report_text.h"

namespace cria {
namespace {

// What is there already may be of another file of the same name.
void require_same_experiment(const RunPlan& plan) {
  for (const PlannedRun& run : plan.runs) {
    const std::string difference = difference_from_begun(run);
    if (difference.empty()) continue;
    throw Error("results of another experiment, or of this one before a change",
                {.where = run.config.train.output_dir,
                 .expected = difference,
                 .hint = "remove " + plan.directory + ", or choose another directory with --out"});
  }
}

class ExperimentRun {
 public:
  ExperimentRun(const Experiment& experiment, const RunPlan& plan, const QueueOptions& options)
      : experiment_(experiment), plan_(plan), queue_(plan, results_, total(), options) {
    for (const PlannedRun& run : plan.runs) results_.push_back(read_run_result(run));
  }

  // Whether all is done. What there is by then is written either way.
  bool train() {
    const bool done = train_all();
    queue_.finish();
    if (world().leads()) write_results();
    return done;
  }

  Comparison comparison() const { return compare(experiment_, plan_, results_); }
  Json json() const { return results_json(experiment_, plan_, results_, comparison()); }

 private:
  // At the end each variant has trained with all seeds at one point.
  TrainingQueue::Progress total() const {
    std::vector<size_t> all = choosing_runs(experiment_, plan_);
    for (const size_t run : runs_at(plan_, std::vector<size_t>(experiment_.variants.size()))) {
      if (std::ranges::find(all, run) == all.end()) all.push_back(run);
    }
    TrainingQueue::Progress sum{.runs = all.size()};
    for (const size_t run : all) sum.steps += plan_.runs[run].config.train.steps;
    return sum;
  }

  bool train_all() {
    return queue_.train(choosing_runs(experiment_, plan_)) &&
           queue_.train(runs_at(plan_, best_points(experiment_, plan_, results_)));
  }

  void write_results() const {
    write_file(join_path(plan_.directory, "results.json"), json().dump(2) + "\n");
    write_file(join_path(plan_.directory, "results.csv"),
               results_csv(experiment_, plan_, results_));
  }

  const Experiment& experiment_;
  const RunPlan& plan_;
  std::vector<RunResult> results_;
  TrainingQueue queue_;
};

void print_dry_run(const Experiment& experiment, const RunPlan& plan, int at_once, int threads) {
  set_threads(threads);
  std::vector<RunEstimate> estimates;
  const size_t lines = experiment.variants.size() * plan.points.size();
  for (size_t i = 0; i < lines; ++i) estimates.push_back(estimate(plan.runs[i]));
  print_plan(experiment, plan, estimates, at_once);
}

}  // namespace

int run_experiment(const Arguments& arguments) {
  Options options(
      "experiment", "FILE.toml",
      "Train the variants of a config that FILE describes, each with several seeds, and compare "
      "them:\npaired differences with 95% intervals, and a verdict. The page beside "
      "configs/experiments\nexplains the file. Stopped by whatever, the same command goes on.",
      {{"out", "DIR", "directory of runs and results (default experiments/NAME for NAME.toml)"},
       {"at-once", "N", "runs at a time, which share the threads (default: one per thread)"},
       {"dry-run", "", "list the runs, with parameters, memory, FLOPs and time; train nothing"},
       {"json", "", "print the results as JSON"}});
  if (!options.parse(arguments, 1, 1)) return 0;
  ignore_closed_pipes();
  const std::string& path = options.positional().front();
  const Experiment experiment = read_experiment(path);
  const std::string directory =
      options.text("out", "experiments/" + std::filesystem::path(path).stem().string());
  const RunPlan plan = plan_runs(experiment, directory);
  Communicator& ranks = world();
  if (ranks.leads()) {
    for (const std::string& warning : plan.warnings) {
      std::fprintf(stderr, "cria: warning: %s\n", warning.c_str());
    }
  }
  const int most = std::min(max_threads(), static_cast<int>(plan.runs.size()));
  const int at_once = static_cast<int>(options.integer("at-once", most, 1, 4096));
  const int threads = std::max(1, max_threads() / at_once);
  if (options.has("dry-run")) {
    if (ranks.leads()) print_dry_run(experiment, plan, at_once, threads);
    return 0;
  }
  require_same_experiment(plan);
  make_directories(directory);
  std::optional<FileLock> lock;
  if (ranks.leads()) {
    lock.emplace(join_path(directory, "lock"), "another cria runs this experiment: wait for it");
  }
  ExperimentRun run(experiment, plan, {at_once, threads, stop_on_signals(), ranks});
  const bool done = run.train();
  if (!ranks.leads()) return 0;
  if (!done) {
    std::fprintf(stderr, "stopped; the same command goes on\n");
    return kInterrupted;
  }
  if (options.has("json")) {
    print_json(run.json());
  } else {
    print_comparison(experiment, plan, run.comparison());
    std::printf("%s\n", join_path(directory, "results.json").c_str());
  }
  return 0;
}

}  // namespace cria
