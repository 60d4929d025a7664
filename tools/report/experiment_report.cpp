#include "report/experiment_report.h"

#include <cmath>
#include <cstdio>
#include <string>

#include "cli/progress.h"
#include "report/report_text.h"

namespace cria {
namespace {

// "tied" or "tied, learning_rate=0.001": keys by their last part.
std::string label(const Experiment& experiment, const RunPlan& plan, size_t variant, size_t point) {
  std::string text = experiment.variants[variant].name;
  for (const Setting& setting : plan.points[point].settings) {
    text += ", " + setting.key.substr(setting.key.rfind('.') + 1) + "=" + dump_toml(setting.value);
  }
  return text;
}

std::string plus_minus(double half_width) {
  return std::isfinite(half_width) ? "+-" + fixed(half_width, 4) : "";
}

std::string signed_fixed(double value, int digits) {
  return (value < 0 ? "-" : "+") + fixed(std::abs(value), digits);
}

std::vector<std::string> difference_cells(const Difference& difference) {
  if (difference.sample.count == 0) return {"-", ""};
  return {signed_fixed(difference.sample.mean, 4), plus_minus(difference.half_width)};
}

}  // namespace

void print_plan(const Experiment& experiment, const RunPlan& plan,
                const std::vector<RunEstimate>& estimates, int at_once) {
  std::vector<std::vector<std::string>> lines;
  double seconds = 0;
  const size_t points = plan.points.size(), seeds = experiment.seeds.size();
  const size_t chosen_by = points > 1 ? static_cast<size_t>(experiment.sweep_seeds) : seeds;
  for (size_t i = 0; i < estimates.size(); ++i) {
    const PlannedRun& run = plan.runs[i];
    const RunEstimate& each = estimates[i];
    const double runs = static_cast<double>(chosen_by) +
                        static_cast<double>(seeds - chosen_by) / static_cast<double>(points);
    seconds += each.seconds * runs;
    lines.push_back({label(experiment, plan, run.variant, run.point),
                     short_count(static_cast<double>(run.parameters)),
                     short_count(static_cast<double>(each.bytes)) + "B", significant(each.flops, 3),
                     short_duration(each.seconds)});
  }
  print_table({{"a run of", true}, {"parameters"}, {"memory"}, {"FLOPs"}, {"time"}}, lines);
  const size_t variants = experiment.variants.size();
  const size_t total = variants * (points * chosen_by + (seeds - chosen_by));
  std::printf("\n%zu runs, %d at once: about %s\n", total, at_once,
              short_duration(seconds / at_once).c_str());
  if (points > 1) {
    std::printf("%zu seed%s choose%s each variant's point of the sweep, %zu more follow there\n",
                chosen_by, chosen_by == 1 ? "" : "s", chosen_by == 1 ? "s" : "", seeds - chosen_by);
  }
}

void print_comparison(const Experiment& experiment, const RunPlan& plan,
                      const Comparison& comparison) {
  std::vector<TableColumn> columns = {{"variant", true}};
  for (const SweptKey& swept : experiment.sweep) {
    columns.push_back({swept.key.substr(swept.key.rfind('.') + 1)});
  }
  for (const char* const heading : {"val_loss", "s.d.", "change", ""}) {
    columns.push_back({heading});
  }
  for (const char* const heading : {"diverged", "params", "in time", "", "tok/cpu s"}) {
    columns.push_back({.heading = heading, .is_optional = true});
  }
  std::vector<std::vector<std::string>> lines;
  bool other_tokens = false;
  for (size_t v = 0; v < comparison.variants.size(); ++v) {
    const VariantResult& each = comparison.variants[v];
    const bool any = each.val_loss.count > 0;
    std::vector<std::string> cells = {experiment.variants[v].name};
    const auto add = [&](const std::vector<std::string>& more) {
      cells.insert(cells.end(), more.begin(), more.end());
    };
    for (const Setting& setting : plan.points[each.point].settings) add({dump_toml(setting.value)});
    add({any ? fixed(each.val_loss.mean, 4) : "-",
         each.val_loss.count > 1 ? fixed(each.val_loss.deviation, 4) : ""});
    add(v == 0 ? std::vector<std::string>{"", ""} : difference_cells(each.at_end));
    add({std::to_string(each.diverged) + "/" + std::to_string(each.runs),
         short_count(static_cast<double>(each.parameters))});
    add(v == 0 ? std::vector<std::string>{"", ""} : difference_cells(each.at_seconds));
    add({any ? short_count(each.tokens_per_cpu_second) : "-"});
    other_tokens |= each.at_tokens.sample.mean != each.at_end.sample.mean;
    lines.push_back(std::move(cells));
  }
  print_table(columns, lines);
  std::printf("\n");
  for (size_t v = 1; v < comparison.variants.size(); ++v) {
    std::printf("%s\n", verdict(experiment, comparison, v).c_str());
    const Difference& tokens = comparison.variants[v].at_tokens;
    if (other_tokens && tokens.sample.count > 0) {
      std::printf("  at equal tokens %s %s\n", signed_fixed(tokens.sample.mean, 4).c_str(),
                  plus_minus(tokens.half_width).c_str());
    }
  }
  if (comparison.variants.size() > 1) {
    std::printf(
        "change: the loss minus the first variant's with the same seed, with a 95%% interval;\n"
        "in time: the same when both had used as much processor time as the cheaper one.\n");
  }
}

}  // namespace cria
