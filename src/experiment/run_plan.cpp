#include "experiment/run_plan.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/model/llama.h"
#include "train/init_from.h"
#include "train/parameter_patterns.h"

namespace cria {
namespace {

constexpr const char* kPlanned = "planned.toml";

// All combinations, the last key's values changing fastest.
std::vector<SweepPoint> points_of(const std::vector<SweptKey>& sweep) {
  std::vector<SweepPoint> points(1);
  for (const SweptKey& each : sweep) {
    std::vector<SweepPoint> longer;
    for (const SweepPoint& point : points) {
      for (const Setting& setting : each.values) {
        SweepPoint next = point;
        next.settings.push_back(setting);
        std::string value = dump_toml(setting.value);
        std::replace(value.begin(), value.end(), '/', '_');  // the name of a directory
        next.name += (next.name.empty() ? "" : ",") + setting.key + "=" + value;
        longer.push_back(std::move(next));
      }
    }
    points = std::move(longer);
  }
  return points;
}

int64_t count_parameters(const ModelConfig& model) {
  return Llama(model, Precision::fp32, Planes::none).parameters().count();
}

// The width, and the width of the MLP, with which `model` comes closest to its own proportions
// among those that have `target` parameters, within 1%; nothing when there are none.
std::optional<ModelConfig> matched(const ModelConfig& model, int64_t target) {
  constexpr double kTolerance = 0.01;
  constexpr int64_t kMultiple = 8;  // of the MLP's width, as model.intermediate_size = 0 has it
  const double ratio =
      static_cast<double>(model.intermediate_size) / static_cast<double>(model.hidden_size);
  const int64_t heads = model.num_attention_heads;
  std::optional<ModelConfig> best;
  double best_distance = INFINITY;
  for (int64_t head_dim = 2;; head_dim += 2) {
    ModelConfig candidate = model;
    candidate.hidden_size = head_dim * heads;
    candidate.head_dim = head_dim;
    const auto parameters = [&](int64_t intermediate) {
      candidate.intermediate_size = intermediate;
      return count_parameters(candidate);
    };
    // The count is linear in the MLP's width.
    const int64_t fixed = parameters(kMultiple), step = parameters(2 * kMultiple) - fixed;
    const int64_t multiples =
        1 + std::llround(static_cast<double>(target - fixed) / static_cast<double>(step));
    if (multiples < 1) break;  // wider ones have more
    const double error =
        static_cast<double>(parameters(multiples * kMultiple)) / static_cast<double>(target) - 1;
    const double distance = std::abs(std::log(static_cast<double>(candidate.intermediate_size) /
                                              static_cast<double>(candidate.hidden_size) / ratio));
    if (std::abs(error) > kTolerance || distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

class Planner {
 public:
  Planner(const Experiment& experiment, const std::string& directory) : experiment_(experiment) {
    plan_.directory = directory;
    plan_.points = points_of(experiment.sweep);
  }

  RunPlan plan() {
    for (const int64_t seed : experiment_.seeds) {
      for (size_t variant = 0; variant < experiment_.variants.size(); ++variant) {
        for (size_t point = 0; point < plan_.points.size(); ++point) add(variant, point, seed);
      }
    }
    warn_of_equal_variants();
    return std::move(plan_);
  }

 private:
  void add(size_t variant, size_t point, int64_t seed) {
    PlannedRun run;
    run.variant = variant;
    run.point = point;
    run.seed = seed;
    const std::string& at = plan_.points[point].name;
    run.name = experiment_.variants[variant].name + (at.empty() ? "" : "," + at) +
               ",seed=" + std::to_string(seed);
    std::vector<Setting> settings = experiment_.common;
    const auto append = [&](const std::vector<Setting>& more) {
      settings.insert(settings.end(), more.begin(), more.end());
    };
    append(experiment_.variants[variant].settings);
    append(plan_.points[point].settings);
    const std::string& path = experiment_.path;
    settings.push_back({"train.seed", {seed}, path});
    settings.push_back(
        {"train.output_dir", {join_path(join_path(plan_.directory, "runs"), run.name)}, path});
    run.config = run_config_of(path, settings);
    if (run.config.data.val.empty()) {
      throw Error("variants are compared by their validation loss",
                  {.where = path, .expected = "data.val", .hint = "give it below [common]"});
    }
    run.model = resolved_model(run.config);
    if (experiment_.variants[variant].match_parameters) match(run);
    const Llama shapes(run.model, Precision::fp32, Planes::none);
    require_pattern_members(run.config, shapes.parameters());
    run.parameters = shapes.parameters().count();
    plan_.runs.push_back(std::move(run));
  }

  ModelConfig resolved_model(const RunConfig& config) {
    auto [tokenizer, added] = tokenizers_.try_emplace({config.data.tokenizer, config.init_from});
    if (added) tokenizer->second = read_run_tokenizer(config);
    return resolve_model(config, tokenizer->second.get());
  }

  // As many parameters as the first variant has with the same seed and point.
  void match(PlannedRun& run) {
    const PlannedRun& first = plan_.run(0, run.point, run.seed);
    const std::optional<ModelConfig> found = matched(run.model, first.parameters);
    if (!found) {
      throw Error(
          "no width gives it as many parameters as the first variant, within 1%",
          {.where = experiment_.path + ": variant '" + experiment_.variants[run.variant].name + "'",
           .expected = std::to_string(first.parameters) + " parameters",
           .hint = "choose its sizes yourself, with match = \"width\""});
    }
    run.model = *found;
    run.config.model.hidden_size = found->hidden_size;
    run.config.model.intermediate_size = found->intermediate_size;
    run.config.model.head_dim = found->head_dim;
  }

  void warn_of_equal_variants() {
    std::map<std::string, size_t> seen;
    for (const PlannedRun& run : plan_.runs) {
      if (run.seed != experiment_.seeds.front() || run.point != 0) continue;
      RunConfig config = run.config;
      config.train.output_dir.clear();
      const auto [first, added] = seen.try_emplace(to_toml(config), run.variant);
      if (added) continue;
      plan_.warnings.push_back("variants '" + experiment_.variants[first->second].name + "' and '" +
                               experiment_.variants[run.variant].name +
                               "' are the same config: their difference is 0");
    }
  }

  const Experiment& experiment_;
  RunPlan plan_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<Tokenizer>> tokenizers_;
};

}  // namespace

const PlannedRun& RunPlan::run(size_t variant, size_t point, int64_t seed) const {
  return *std::ranges::find_if(runs, [&](const PlannedRun& each) {
    return each.variant == variant && each.point == point && each.seed == seed;
  });
}

std::vector<size_t> choosing_runs(const Experiment& experiment, const RunPlan& plan) {
  const auto end = experiment.seeds.begin() + experiment.sweep_seeds;
  std::vector<size_t> runs;
  for (size_t i = 0; i < plan.runs.size() && plan.points.size() > 1; ++i) {
    if (std::find(experiment.seeds.begin(), end, plan.runs[i].seed) != end) runs.push_back(i);
  }
  return runs;
}

std::vector<size_t> runs_at(const RunPlan& plan, std::span<const size_t> points) {
  std::vector<size_t> runs;
  for (size_t i = 0; i < plan.runs.size(); ++i) {
    if (plan.runs[i].point == points[plan.runs[i].variant]) runs.push_back(i);
  }
  return runs;
}

RunPlan plan_runs(const Experiment& experiment, const std::string& directory) {
  return Planner(experiment, directory).plan();
}

std::string difference_from_begun(const PlannedRun& run) {
  const std::string path = join_path(run.config.train.output_dir, kPlanned);
  if (!exists(path)) return "";
  const std::vector<TomlEntry> then = parse_toml(read_file(path), path);
  // A key that an earlier version did not have was what is its default now.
  const std::vector<TomlEntry> defaults = parse_toml(to_toml(RunConfig()), "defaults");
  for (const TomlEntry& now : parse_toml(to_toml(run.config), path)) {
    auto before = std::ranges::find(then, now.key, &TomlEntry::key);
    if (before == then.end()) {
      before = std::ranges::find(defaults, now.key, &TomlEntry::key);
      if (before == defaults.end()) return now.key + " = " + dump_toml(now.value);
    }
    if (before->value == now.value) continue;
    return now.key + " = " + dump_toml(now.value) + ", not " + dump_toml(before->value);
  }
  return "";
}

std::string write_planned(const PlannedRun& run) {
  const std::string& directory = run.config.train.output_dir;
  make_directories(directory);
  const std::string path = join_path(directory, kPlanned);
  write_file(path, to_toml(run.config));
  return path;
}

}  // namespace cria
