#include "experiment/comparison.h"

#include <algorithm>

#include "base/number.h"
#include "base/timing.h"

namespace cria {
namespace {

Difference difference_of(const std::vector<double>& differences) {
  if (differences.empty()) return {};
  const Sample sample = sample_of(differences);
  return {sample, half_width_95(sample)};
}

// "8% fewer", "3% more", "" for less than half a percent.
std::string change(double ratio, const char* more, const char* fewer) {
  const double percent = 100 * (ratio - 1);
  if (std::abs(percent) < 0.5) return "";
  return fixed(std::abs(percent), 0) + "% " + (percent > 0 ? more : fewer);
}

Json to_json(const Difference& difference) {
  return Json::Object{{"mean", difference.sample.mean},
                      {"half_width_95", difference.half_width},
                      {"seeds", difference.sample.count}};
}

Json sweep_json(const SweepPoint& point) {
  Json json = Json::Object{};
  for (const Setting& setting : point.settings) {
    json.set(setting.key, Json::parse(dump_toml(setting.value), ""));
  }
  return json;
}

class Comparer {
 public:
  Comparer(const Experiment& experiment, const RunPlan& plan, const std::vector<RunResult>& results)
      : experiment_(experiment), plan_(plan), results_(results) {}

  const RunResult& result(size_t variant, size_t point, int64_t seed) const {
    return results_[static_cast<size_t>(&plan_.run(variant, point, seed) - plan_.runs.data())];
  }

  size_t best_point(size_t variant) const {
    size_t best = 0;
    double least = INFINITY;
    for (size_t point = 0; point < plan_.points.size(); ++point) {
      double sum = 0;
      for (int64_t i = 0; i < experiment_.sweep_seeds; ++i) {
        const RunResult& run = result(variant, point, experiment_.seeds[static_cast<size_t>(i)]);
        sum += run.status == RunStatus::finished ? run.val_loss : INFINITY;
      }
      if (sum >= least) continue;
      best = point;
      least = sum;
    }
    return best;
  }

  // The median over the seeds that finished; 0 when none did.
  double tokens_per_cpu_second(size_t variant, size_t point) const {
    std::vector<double> speeds;
    for (const int64_t seed : experiment_.seeds) {
      const RunResult& run = result(variant, point, seed);
      if (run.status == RunStatus::finished) speeds.push_back(run.tokens_per_cpu_second);
    }
    return speeds.empty() ? 0 : median(speeds);
  }

  VariantResult of(size_t variant, size_t point, size_t first_point) const {
    VariantResult all;
    all.point = point;
    all.parameters = plan_.run(variant, point, experiment_.seeds.front()).parameters;
    all.tokens_per_cpu_second = tokens_per_cpu_second(variant, point);
    const double first_speed = tokens_per_cpu_second(0, first_point);
    const bool timed = all.tokens_per_cpu_second > 0 && first_speed > 0;
    const double ratio = timed ? all.tokens_per_cpu_second / first_speed : 1;
    std::vector<double> losses, at_end, at_tokens, at_seconds, log_speed;
    for (const int64_t seed : experiment_.seeds) {
      const RunResult &run = result(variant, point, seed), &first = result(0, first_point, seed);
      all.runs += run.status != RunStatus::pending;
      all.diverged += run.status == RunStatus::diverged;
      if (run.status != RunStatus::finished) continue;
      losses.push_back(run.val_loss);
      if (first.status != RunStatus::finished) continue;
      const double run_tokens = static_cast<double>(run.tokens);
      const double first_tokens = static_cast<double>(first.tokens);
      const double tokens = std::min(run_tokens, first_tokens);
      // A single run's cost still varies, so time is tokens by the median of the variant's runs.
      const double in_time = std::min(first_tokens, run_tokens / ratio);
      if (timed) {
        log_speed.push_back(std::log(run.tokens_per_cpu_second / first.tokens_per_cpu_second));
      }
      at_end.push_back(run.val_loss - first.val_loss);
      at_tokens.push_back(loss_at_tokens(run, tokens) - loss_at_tokens(first, tokens));
      at_seconds.push_back(loss_at_tokens(run, in_time * ratio) - loss_at_tokens(first, in_time));
    }
    if (!losses.empty()) all.val_loss = sample_of(losses);
    all.at_end = difference_of(at_end);
    all.at_tokens = difference_of(at_tokens);
    all.at_seconds = difference_of(at_seconds);
    all.log_speed = difference_of(log_speed);
    return all;
  }

 private:
  const Experiment& experiment_;
  const RunPlan& plan_;
  const std::vector<RunResult>& results_;
};

}  // namespace

std::vector<size_t> best_points(const Experiment& experiment, const RunPlan& plan,
                                const std::vector<RunResult>& results) {
  const Comparer comparer(experiment, plan, results);
  std::vector<size_t> points;
  for (size_t variant = 0; variant < experiment.variants.size(); ++variant) {
    points.push_back(comparer.best_point(variant));
  }
  return points;
}

Comparison compare(const Experiment& experiment, const RunPlan& plan,
                   const std::vector<RunResult>& results) {
  const Comparer comparer(experiment, plan, results);
  const std::vector<size_t> points = best_points(experiment, plan, results);
  Comparison comparison;
  comparison.complete = true;
  for (size_t variant = 0; variant < points.size(); ++variant) {
    comparison.variants.push_back(comparer.of(variant, points[variant], points[0]));
    if (comparison.variants.back().runs < experiment.seeds.size()) comparison.complete = false;
  }
  return comparison;
}

std::string verdict(const Experiment& experiment, const Comparison& comparison, size_t variant) {
  const VariantResult &one = comparison.variants[variant], &first = comparison.variants.front();
  const std::string &name = experiment.variants[variant].name,
                    &other = experiment.variants.front().name;
  const Difference& difference = one.at_end;
  const size_t seeds = difference.sample.count;
  if (seeds == 0) {
    const auto outcome = [](const VariantResult& all) {
      return all.runs == 0 ? "has not run" : "diverged with every seed";
    };
    const bool failed = one.val_loss.count == 0;
    return (failed ? name : other) + " " + outcome(failed ? one : first);
  }
  const double mean = difference.sample.mean;
  std::string text =
      name + " - " + other + " = " + (std::signbit(mean) ? "" : "+") + fixed(mean, 4);
  if (seeds == 1) {
    text += " (1 seed: no interval, so no verdict)";
  } else {
    text += " +- " + fixed(difference.half_width, 4) + " (95%, " + std::to_string(seeds) +
            " seeds, paired): ";
    text += !difference.is_certain() ? "no difference found"
            : mean > 0               ? other + " is better"
                                     : name + " is better";
  }
  const std::string size = change(
      static_cast<double>(one.parameters) / static_cast<double>(first.parameters), "more", "fewer");
  if (!size.empty()) text += "; " + size + " parameters";
  const std::string speed = one.log_speed.is_certain()
                                ? change(std::exp(one.log_speed.sample.mean), "faster", "slower")
                                : "";
  if (one.log_speed.sample.count > 0) text += "; " + (speed.empty() ? "same speed" : speed);
  for (const VariantResult* const each : {&one, &first}) {
    if (each->diverged == 0) continue;
    text += "; " + std::to_string(each->diverged) + " of " + std::to_string(each->runs) + " " +
            (each == &one ? name : other) + " diverged";
  }
  return text;
}

Json results_json(const Experiment& experiment, const RunPlan& plan,
                  const std::vector<RunResult>& results, const Comparison& comparison) {
  Json::Array variants, runs;
  for (size_t v = 0; v < comparison.variants.size(); ++v) {
    const VariantResult& each = comparison.variants[v];
    Json json = Json::Object{{"name", experiment.variants[v].name},
                             {"sweep", sweep_json(plan.points[each.point])},
                             {"parameters", each.parameters},
                             {"runs", each.runs},
                             {"diverged", each.diverged}};
    if (each.val_loss.count > 0) {
      json.set("val_loss", each.val_loss.mean);
      json.set("val_loss_deviation", each.val_loss.deviation);
      json.set("tokens_per_cpu_s", each.tokens_per_cpu_second);
    }
    if (v > 0) {
      json.set("difference", to_json(each.at_end));
      json.set("difference_at_equal_tokens", to_json(each.at_tokens));
      json.set("difference_at_equal_seconds", to_json(each.at_seconds));
      json.set("verdict", verdict(experiment, comparison, v));
    }
    variants.push_back(std::move(json));
  }
  for (size_t i = 0; i < plan.runs.size(); ++i) {
    const PlannedRun& run = plan.runs[i];
    const RunResult& result = results[i];
    if (result.status == RunStatus::pending) continue;
    runs.push_back(Json::Object{{"variant", experiment.variants[run.variant].name},
                                {"seed", run.seed},
                                {"sweep", sweep_json(plan.points[run.point])},
                                {"directory", run.config.train.output_dir},
                                {"status", status_name(result.status)},
                                {"steps", result.steps},
                                {"tokens", result.tokens},
                                {"seconds", result.seconds},
                                {"tokens_per_cpu_s", result.tokens_per_cpu_second},
                                {"parameters", run.parameters},
                                {"train_loss", result.train_loss},
                                {"val_loss", result.val_loss}});
  }
  return Json::Object{{"experiment", experiment.path},
                      {"reference", experiment.variants.front().name},
                      {"seeds", Json::Array(experiment.seeds.begin(), experiment.seeds.end())},
                      {"complete", comparison.complete},
                      {"variants", std::move(variants)},
                      {"runs", std::move(runs)}};
}

std::string results_csv(const Experiment& experiment, const RunPlan& plan,
                        const std::vector<RunResult>& results) {
  std::string text = "variant,seed,";
  for (const SweptKey& sweep : experiment.sweep) text += sweep.key + ",";
  text += "status,steps,tokens,seconds,parameters,train_loss,val_loss\n";
  // As JSON has numbers; what is not finite leaves its cell empty, as in metrics.csv.
  const auto number = [](double value) {
    return std::isfinite(value) ? shortest_double(value) : std::string();
  };
  for (size_t i = 0; i < plan.runs.size(); ++i) {
    const PlannedRun& run = plan.runs[i];
    const RunResult& result = results[i];
    if (result.status == RunStatus::pending) continue;
    text += experiment.variants[run.variant].name + "," + std::to_string(run.seed) + ",";
    for (const Setting& setting : plan.points[run.point].settings) {
      const std::string value = dump_toml(setting.value);
      const bool quoted = value.find_first_of(",\"\n") != value.npos;
      if (!quoted) {
        text += value + ",";
        continue;
      }
      text += '"';
      for (const char c : value) text += c == '"' ? std::string("\"\"") : std::string(1, c);
      text += "\",";
    }
    text += std::string(status_name(result.status)) + "," + std::to_string(result.steps) + "," +
            std::to_string(result.tokens) + "," + number(result.seconds) + "," +
            std::to_string(run.parameters) + "," + number(result.train_loss) + "," +
            number(result.val_loss) + "\n";
  }
  return text;
}

}  // namespace cria
