// The runs of an experiment: each variant at each point of the sweep with each seed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cria/train/run_config.h"
#include "experiment/experiment_file.h"

namespace cria {

// A choice of one value for each key of the sweep; of no keys there is one.
struct SweepPoint {
  std::vector<Setting> settings;
  std::string name;  // "optimizer.learning_rate=0.001"; "" without a sweep
};

struct PlannedRun {
  size_t variant = 0, point = 0;  // which ones
  int64_t seed = 0;
  std::string name;   // "tied,optimizer.learning_rate=0.001,seed=1": its directory's
  RunConfig config;   // as planned.toml in that directory will have it
  ModelConfig model;  // resolved
  int64_t parameters = 0;
};

struct RunPlan {
  std::string directory;  // of the experiment
  std::vector<SweepPoint> points;
  std::vector<PlannedRun> runs;  // by seed, then variant, then point
  std::vector<std::string> warnings;

  const PlannedRun& run(size_t variant, size_t point, int64_t seed) const;
};

// Makes every run's config, so that errors come before any run starts. Error for a config that
// 'cria train' would refuse, without validation data, and for a variant that cannot be given as
// many parameters as the first one.
RunPlan plan_runs(const Experiment& experiment, const std::string& directory);

// Indices of the runs that choose each variant's point of a sweep, none without one; and of those
// at the point of their variant, points[variant].
std::vector<size_t> choosing_runs(const Experiment& experiment, const RunPlan& plan);
std::vector<size_t> runs_at(const RunPlan& plan, std::span<const size_t> points);

// What differs between a run that was begun in a directory and the planned one, as
// "key = value, not value"; "" when nothing does or nothing was begun.
std::string difference_from_begun(const PlannedRun& run);

// Writes planned.toml into the run's directory, for 'cria train'; returns its path.
std::string write_planned(const PlannedRun& run);

}  // namespace cria
