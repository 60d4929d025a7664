// Runs as their directories tell of them, long ones thinned, those that differ in the seed as one.
#pragma once

#include <limits>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cria/base/json.h"

namespace cria {

struct Series {
  std::vector<double> steps, values;  // in the order of the file; null is NaN
};

struct RunHistory {
  std::string directory;
  std::string name;                           // the directory's, to be shown
  std::map<std::string, std::string> config;  // its config.toml: keys, and values in TOML
  std::vector<std::string> keys;              // of metrics.jsonl, as they come
  std::map<std::string, Series> series;       // by these keys
  std::vector<std::pair<std::string, std::string>> samples;  // step and text
  std::vector<Json> starts;  // the lines of starts.jsonl; none in older runs
  // What no model's validation can be below, in bits per byte; NaN: not known, as of most texts.
  double floor = std::numeric_limits<double>::quiet_NaN();

  // nullptr without such a key.
  const Series* find(const std::string& key) const;
  // The last value of the key that is finite; NaN without one.
  double last(const std::string& key) const;
  // The value at the last of the key's steps that is not after this one; the first's before it.
  double at(const std::string& key, double step) const;
};

bool is_run(const std::string& directory);  // whether it has metrics.jsonl

// Error, naming the file, when it is not as 'cria train' writes it.
RunHistory read_run_history(const std::string& directory);

// Runs of one config, with one seed or several.
struct RunGroup {
  std::string name;
  std::vector<RunHistory> runs;
};

// Those whose configs are the same but for train.seed and train.output_dir are one group, named by
// its first run.
std::vector<RunGroup> group_by_seed(std::vector<RunHistory> runs);

// A key's values over steps. Of one run: means over neighbouring steps where there are many, with
// the smallest and largest of them; of several: means over the runs, with the smallest and largest.
struct Curve {
  std::vector<double> steps, mean, low, high;  // low and high empty: they are the mean
};
inline constexpr size_t kMostPoints = 500;
Curve curve_of(std::span<const RunHistory> runs, const std::string& key, size_t most = kMostPoints);

// The mean over the group's runs of their last values; NaN when no run has the key.
double last_of(const RunGroup& group, const std::string& key);

// Keys whose values differ between configs, but for train.output_dir: a row for each, a cell for
// each config; seeds of a group together.
std::vector<std::vector<std::string>> config_differences(const std::vector<RunGroup>& groups);

}  // namespace cria
