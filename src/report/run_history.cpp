#include "report/run_history.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "base/unicode.h"
#include "cria/base/file.h"
#include "cria/train/metrics.h"
#include "prepare/demo_corpus.h"
#include "report/page.h"
#include "train/run_config_keys.h"
#include "train/run_directory.h"

namespace cria {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// The steps and texts of samples.txt.
std::vector<std::pair<std::string, std::string>> read_samples(const std::string& path) {
  std::vector<std::pair<std::string, std::string>> samples;
  if (!exists(path)) return samples;
  const std::string text = read_file(path);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
    const std::string line = text.substr(begin, end - begin);
    if (const auto step = sample_step(line.substr(0, line.find('\n')))) {
      samples.push_back({std::to_string(*step), ""});
    } else if (!samples.empty()) {
      samples.back().second += line;
    }
    begin = end;
  }
  return samples;
}

// Without what may differ between the runs of a group.
std::map<std::string, std::string> config_of_group(const RunHistory& run) {
  std::map<std::string, std::string> config = run.config;
  config.erase("train.seed");
  config.erase("train.output_dir");
  return config;
}

struct Bucket {
  double sum = 0, low = INFINITY, high = -INFINITY;
  size_t count = 0;

  void add(double value) {
    sum += value;
    low = std::min(low, value);
    high = std::max(high, value);
    ++count;
  }
  double mean() const { return sum / static_cast<double>(count); }
};

}  // namespace

const Series* RunHistory::find(const std::string& key) const {
  const auto found = series.find(key);
  return found == series.end() ? nullptr : &found->second;
}

double RunHistory::last(const std::string& key) const {
  const Series* const all = find(key);
  if (!all) return kNan;
  const auto value = std::find_if(all->values.rbegin(), all->values.rend(),
                                  [](double each) { return std::isfinite(each); });
  return value == all->values.rend() ? kNan : *value;
}

double RunHistory::at(const std::string& key, double step) const {
  const Series* const all = find(key);
  if (!all) return kNan;
  const auto next = std::ranges::upper_bound(all->steps, step);
  const size_t index =
      next == all->steps.begin() ? 0 : static_cast<size_t>(next - all->steps.begin()) - 1;
  return all->values[index];
}

bool is_run(const std::string& directory) {
  return exists(join_path(directory, "metrics.jsonl"));
}

RunHistory read_run_history(const std::string& directory) {
  RunHistory run;
  run.directory = directory;
  const std::filesystem::path path = std::filesystem::path(directory).lexically_normal();
  run.name = isolated((path.has_filename() ? path : path.parent_path()).filename().string());
  for (const Setting& setting : read_settings(join_path(directory, "config.toml"))) {
    run.config[setting.key] = dump_toml(setting.value);
    const auto* const text = std::get_if<std::string>(&setting.value.value);
    if (setting.key == "data.val" && text) {
      const std::string shards = std::filesystem::path(*text).parent_path().string();
      run.floor = floor_bits_per_byte(shards).value_or(kNan);
    }
  }
  const std::string metrics = join_path(directory, "metrics.jsonl");
  read_metrics(metrics, [&](const Json& line) {
    const double step = line.at("step", metrics).as_double(metrics);
    for (const auto& [key, value] : line.as_object(metrics)) {
      // Its time alone is an evaluation's "seconds".
      if (key == "step" || (key == "seconds" && !line.find("loss"))) continue;
      const auto [series, added] = run.series.try_emplace(key);
      if (added) run.keys.push_back(key);
      series->second.steps.push_back(step);
      series->second.values.push_back(value.is_null() ? kNan
                                                      : value.as_double(metrics + ": " + key));
    }
  });
  const std::string starts = join_path(directory, kStarts);
  if (exists(starts)) {
    read_metrics(starts, [&](const Json& line) { run.starts.push_back(line); });
  }
  run.samples = read_samples(join_path(directory, "samples.txt"));
  return run;
}

std::vector<RunGroup> group_by_seed(std::vector<RunHistory> runs) {
  std::vector<RunGroup> groups;
  for (RunHistory& run : runs) {
    const auto same = std::ranges::find_if(groups, [&](const RunGroup& group) {
      return config_of_group(group.runs.front()) == config_of_group(run);
    });
    if (same != groups.end()) {
      same->runs.push_back(std::move(run));
    } else {
      groups.push_back({run.name, {}});
      groups.back().runs.push_back(std::move(run));
    }
  }
  for (RunGroup& group : groups) {
    if (group.runs.size() > 1) {
      group.name += " (" + std::to_string(group.runs.size()) + " seeds)";
    }
  }
  return groups;
}

Curve curve_of(std::span<const RunHistory> runs, const std::string& key, size_t most) {
  std::set<double> all;
  for (const RunHistory& run : runs) {
    const Series* const series = run.find(key);
    if (series) all.insert(series->steps.begin(), series->steps.end());
  }
  const std::vector<double> steps(all.begin(), all.end());
  const size_t count = std::min(most, steps.size());
  std::vector<Bucket> places(count), means(count);
  const auto bucket_of = [&](size_t index) { return index * count / steps.size(); };
  for (size_t i = 0; i < steps.size(); ++i) places[bucket_of(i)].add(steps[i]);
  for (const RunHistory& run : runs) {
    const Series* const series = run.find(key);
    if (!series) continue;
    std::vector<Bucket> own(count);
    for (size_t i = 0; i < series->values.size(); ++i) {
      if (!std::isfinite(series->values[i])) continue;
      const auto at = std::ranges::lower_bound(steps, series->steps[i]);
      own[bucket_of(static_cast<size_t>(at - steps.begin()))].add(series->values[i]);
    }
    for (size_t k = 0; k < count; ++k) {
      if (own[k].count == 0) continue;
      if (runs.size() > 1) {
        means[k].add(own[k].mean());
      } else {
        means[k] = own[k];
      }
    }
  }
  Curve curve;
  bool is_band = false;
  for (size_t k = 0; k < count; ++k) {
    if (means[k].count == 0) continue;
    curve.steps.push_back(places[k].mean());
    curve.mean.push_back(means[k].mean());
    curve.low.push_back(means[k].low);
    curve.high.push_back(means[k].high);
    is_band = is_band || means[k].low < means[k].high;
  }
  if (!is_band) {
    curve.low.clear();
    curve.high.clear();
  }
  return curve;
}

double last_of(const RunGroup& group, const std::string& key) {
  Bucket all;
  for (const RunHistory& run : group.runs) {
    const double value = run.last(key);
    if (std::isfinite(value)) all.add(value);
  }
  return all.count == 0 ? kNan : all.mean();
}

std::vector<std::vector<std::string>> config_differences(const std::vector<RunGroup>& groups) {
  std::set<std::string> keys;
  for (const RunGroup& group : groups) {
    for (const auto& [key, value] : group.runs.front().config) keys.insert(key);
  }
  keys.erase("train.output_dir");
  std::vector<std::vector<std::string>> rows;
  for (const std::string& key : keys) {
    std::vector<std::string> row = {isolated(key)};
    for (const RunGroup& group : groups) {
      std::vector<std::string> values;
      for (const RunHistory& run : group.runs) {
        const auto value = run.config.find(key);
        const std::string text = value == run.config.end() ? "" : isolated(value->second);
        if (std::ranges::find(values, text) == values.end()) values.push_back(text);
      }
      row.push_back(joined(values, ", "));
    }
    if (std::ranges::adjacent_find(row.begin() + 1, row.end(), std::not_equal_to()) != row.end()) {
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

}  // namespace cria
