#include "report/run_sections.h"

#include <algorithm>
#include <cmath>

#include "base/timing.h"
#include "base/toml.h"
#include "base/unicode.h"
#include "train/run_directory.h"

namespace cria {
namespace {

// Overlaid only while they can be told apart.
constexpr size_t kMostOverlaid = 4;

// Of many lines each has fewer points: the page stays small.
size_t most_points(const std::vector<RunGroup>& groups) {
  return std::clamp<size_t>(4 * kMostPoints / groups.size(), kMostPoints / 5, kMostPoints);
}

// Floating-point operations per token, as the run measured both: 0 where it did not.
double flops_per_token(const RunHistory& run) {
  const double flops = 1e9 * run.last("gflops") / run.last("tokens_per_s");
  return std::isfinite(flops) ? flops : 0;
}

// The curve on each of the axes below.
const std::vector<Axis> kProgress = {{"steps"}, {"tokens"}, {"FLOPs"}, {"seconds of training"}};

Line line_of(const RunGroup& group, const std::string& key, size_t color, size_t most) {
  const Curve curve = curve_of(group.runs, key, most);
  Line line = {.name = group.name,
               .color = color,
               .x = {curve.steps, {}, {}, {}},
               .y = curve.mean,
               .low = curve.low,
               .high = curve.high};
  for (const double step : curve.steps) {
    double tokens = 0, flops = 0, seconds = 0;
    for (const RunHistory& run : group.runs) {
      const double share = 1.0 / static_cast<double>(group.runs.size());
      tokens += run.at("tokens", step) * share;
      flops += run.at("tokens", step) * flops_per_token(run) * share;
      seconds += run.at("seconds", step) * share;
    }
    line.x[1].push_back(tokens);
    line.x[2].push_back(flops);
    line.x[3].push_back(seconds);
  }
  return line;
}

// Of losses, bits per byte are so many times as much: the texts decide it.
double bits_per_byte_factor(const RunGroup& group) {
  return last_of(group, "val_bits_per_byte") / last_of(group, "val_loss");
}

size_t best_group(const std::vector<RunGroup>& groups) {
  size_t best = groups.size();
  for (size_t i = 0; i < groups.size(); ++i) {
    const double loss = last_of(groups[i], "val_loss");
    if (!std::isnan(loss) && (best == groups.size() || loss < last_of(groups[best], "val_loss"))) {
      best = i;
    }
  }
  return best;
}

// The floor on the axis of losses; NaN unless all groups have the same, up to a thousandth: of one
// text they may have read other parts.
double floor_of(const std::vector<RunGroup>& groups) {
  const auto nats = [](const RunGroup& group) {
    return group.runs.front().floor / bits_per_byte_factor(group);
  };
  const double first = nats(groups.front());
  return std::ranges::all_of(
             groups,
             [&](const RunGroup& group) { return std::abs(nats(group) - first) <= 1e-3 * first; })
             ? first
             : NAN;
}

class LossCharts {
 public:
  explicit LossCharts(const std::vector<RunGroup>& groups) : groups_(groups) {
    for (const RunGroup& group : groups) {
      has_bits_ = has_bits_ && std::isfinite(bits_per_byte_factor(group));
      const Curve losses = curve_of(group.runs, "loss");
      // What is far above the first tenth of the steps is a start from large weights, or
      // divergence.
      if (losses.mean.empty()) continue;
      highest_ = std::max(highest_, 1.5 * losses.mean[losses.mean.size() / 10]);
    }
  }

  std::vector<Figure> figures() const {
    const size_t best = best_group(groups_);
    const std::string ends = best == groups_.size()
                                 ? "Loss of " + groups_.front().name
                                 : "Validation loss of " + groups_[best].name + " ends " +
                                       (groups_.size() > 1 ? "lowest, " : "") + "at " +
                                       number_text(last_of(groups_[best], "val_loss"));
    if (groups_.size() <= kMostOverlaid) return {chart(ends, true, true)};
    return {chart(ends, false, true), chart("Training loss", true, false)};
  }

 private:
  Figure chart(const std::string& title, bool training, bool validation) const {
    LineChart chart = {.title = title,
                       .note = note(),
                       .x = kProgress,
                       .y = {{"loss, nats per token"}},
                       .highest = highest_ > 0 ? highest_ : INFINITY};
    if (has_bits_) chart.y.push_back({"bits per byte"});
    for (size_t i = 0; i < groups_.size(); ++i) {
      if (validation) add(chart, groups_[i], "val_loss", i, training ? ", validation" : "");
      if (training) add(chart, groups_[i], "loss", i, validation ? ", training" : "");
    }
    if (validation && std::isfinite(floor_of(groups_)) && !chart.lines.empty()) add_floor(chart);
    return line_chart(chart);
  }

  // From the first to the last place of all lines.
  void add_floor(LineChart& chart) const {
    const double floor = floor_of(groups_);
    Line line = {.name = "floor: what the texts' own generator needs",
                 .color = kPaletteSize - 1,
                 .dashed = true,
                 .x = {},
                 .y = {floor, floor},
                 .factors = {bits_per_byte_factor(groups_.front())}};
    for (size_t axis = 0; axis < kProgress.size(); ++axis) {
      double first = INFINITY, last = -INFINITY;
      for (const Line& other : chart.lines) {
        first = std::min(first, other.x[axis].front());
        last = std::max(last, other.x[axis].back());
      }
      line.x.push_back({first, last});
    }
    chart.lines.push_back(std::move(line));
  }

  void add(LineChart& chart, const RunGroup& group, const char* key, size_t color,
           const std::string& which) const {
    Line line = line_of(group, key, color, most_points(groups_));
    if (line.y.empty()) return;
    line.name += which;
    line.marked = key == std::string("val_loss") && line.y.size() <= 50;
    line.dashed = which == ", training";
    if (has_bits_) line.factors = {bits_per_byte_factor(group)};
    chart.lines.push_back(std::move(line));
  }

  std::string note() const {
    const bool is_seeds =
        std::ranges::any_of(groups_, [](const RunGroup& group) { return group.runs.size() > 1; });
    return is_seeds ? "Mean over the seeds; the band is from the smallest to the largest."
                    : "Of long runs the mean of neighbouring steps; the band is from the smallest "
                      "to the largest.";
  }

  const std::vector<RunGroup>& groups_;
  bool has_bits_ = true;
  double highest_ = 0;
};

double median_of(const RunHistory& run, const std::string& key) {
  const Series* const series = run.find(key);
  if (!series) return NAN;
  std::vector<double> finite;
  std::ranges::copy_if(series->values, std::back_inserter(finite),
                       [](double value) { return std::isfinite(value); });
  return finite.empty() ? NAN : median(finite);
}

double largest_of(const std::vector<RunGroup>& groups, const std::string& key) {
  double largest = -INFINITY;
  for (const RunGroup& group : groups) {
    for (const RunHistory& run : group.runs) {
      const Series* const series = run.find(key);
      if (!series) continue;
      for (const double value : series->values) {
        if (value > largest) largest = value;
      }
    }
  }
  return largest;
}

std::string cell(const std::map<std::string, std::string>& config, const std::string& key) {
  const auto found = config.find(key);
  return found == config.end() ? "" : isolated(found->second);
}

// Where and with what they were trained; after a resume elsewhere there are several of each.
void add_starts(Page& page, const std::vector<RunGroup>& groups) {
  const std::vector<std::pair<const char*, const char*>> columns = {
      {"cria", "version"},
      {"commit", "commit"},
      {"processor", "processor"},
      {"kernels", "kernels"},
      {"threads", "threads"},
      {"training data", "train_data"},
      {"validation data", "val_data"}};
  Table table = {{"run"}};
  for (const auto& [heading, key] : columns) table.headings.push_back(heading);
  for (const RunGroup& group : groups) {
    for (const RunHistory& run : group.runs) {
      if (run.starts.empty()) continue;
      table.rows.push_back({run.name});
      for (const auto& [heading, key] : columns) {
        std::vector<std::string> different;
        for (const Json& start : run.starts) {
          const Json* const value = start.find(key);
          const std::string text = !value               ? ""
                                   : value->is_string() ? isolated(value->as_string(kStarts))
                                                        : isolated(value->dump());
          if (!text.empty() && std::ranges::find(different, text) == different.end()) {
            different.push_back(text);
          }
        }
        table.rows.back().push_back(joined(different, ", "));
      }
    }
  }
  if (!table.rows.empty()) {
    page.table("What made each, on what machine; of the data the checksums", table);
  }
}

// As many of its bytes, or fewer: it ends between characters.
std::string beginning(const std::string& text, size_t most) {
  if (text.size() <= most) return text;
  size_t end = most;
  while (end > 0 && !starts_character(text[end])) --end;
  return text.substr(0, end) + "\u2026";
}

}  // namespace

Figure key_chart(const std::vector<RunGroup>& groups, const std::string& key,
                 const std::string& title, const std::string& note, const Axis& y,
                 const Size& size) {
  LineChart chart = {.title = title, .note = note, .x = {{"steps"}}, .y = {y}, .size = size};
  for (size_t i = 0; i < groups.size(); ++i) {
    const Curve curve = curve_of(groups[i].runs, key, most_points(groups) / 2);
    if (curve.steps.empty()) continue;
    Line line = {.name = groups[i].name, .color = i, .x = {curve.steps}, .y = curve.mean};
    if (groups.size() <= kMostOverlaid) {  // bands of many would hide the lines
      line.low = curve.low;
      line.high = curve.high;
    }
    chart.lines.push_back(std::move(line));
  }
  return line_chart(chart);
}

std::vector<std::string> verdict_of_runs(const std::vector<RunGroup>& groups) {
  const size_t best = best_group(groups);
  if (best == groups.size()) return {"No run has been evaluated yet."};
  const RunGroup& group = groups[best];
  const double loss = last_of(group, "val_loss"), bits = last_of(group, "val_bits_per_byte");
  const RunHistory& run = group.runs.front();
  const Series* const losses = run.find("val_loss");
  const std::string evaluated = number_text(losses->steps.back(), 9);
  const std::string all = cell(run.config, "train.steps");
  const std::string after = " after " + evaluated +
                            (all.empty() || all == evaluated ? "" : " of " + all) + " steps and " +
                            number_text(run.at("tokens", losses->steps.back())) + " tokens";
  const std::string floor =
      std::isfinite(run.floor) ? "; the floor is " + number_text(run.floor) : "";
  std::string text = group.name + " ends with " + (groups.size() > 1 ? "the lowest" : "a") +
                     " validation loss" + (groups.size() > 1 ? ", " : " of ") + number_text(loss);
  if (std::isfinite(bits)) text += " (" + number_text(bits) + " bits per byte" + floor + ")";
  text += after;
  double next = INFINITY;
  const RunGroup* second = nullptr;
  for (const RunGroup& other : groups) {
    const double value = last_of(other, "val_loss");
    if (&other == &group || !(value < next)) continue;
    next = value;
    second = &other;
  }
  if (second) text += ", " + number_text(next - loss, 2) + " below " + second->name;
  std::vector<std::string> verdict = {text + "."};
  for (const RunGroup& each : groups) {
    for (const RunHistory& one : each.runs) {
      if (!one.find("not_finite")) continue;
      verdict.push_back(one.name + " diverged: its loss was not finite at step " +
                        number_text(one.find("not_finite")->steps.front(), 9) + ".");
    }
  }
  return verdict;
}

void add_curves(Page& page, const std::vector<RunGroup>& groups) {
  std::vector<Figure> figures = LossCharts(groups).figures();
  const auto add = [&](const char* key, const std::string& what, const char* unit, const char* note,
                       const Axis& axis) {
    const std::string most = number_text(largest_of(groups, key), 3);
    figures.push_back(key_chart(groups, key, what + ": at most " + most + unit, note, axis, {}));
  };
  add("lr", "Learning rate", "", "", {"learning rate"});
  add("grad_norm", "Gradient norm", "", "Of the whole gradient, before clipping.", {"norm", true});
  add("tokens_per_s", "Speed", " tokens per second", "", {"tokens per second"});
  page.figures(figures);
}

void add_run_facts(Page& page, const std::vector<RunGroup>& groups) {
  page.heading("The runs");
  Table runs = {{"run", "seed", "steps", "tokens", "seconds", "tokens/s", "of the peak",
                 "waited for data", "loss", "validation loss", "bits per byte", "data"}};
  std::string again;
  for (const RunGroup& group : groups) {
    for (const RunHistory& run : group.runs) {
      const double seconds = run.last("seconds"), busy = median_of(run, "mfu");
      const Series* const steps = run.find("loss");
      double waited = 0;
      if (const Series* const waits = run.find("data_wait")) {
        for (const double each : waits->values) waited += std::isfinite(each) ? each : 0;
      }
      runs.rows.push_back(
          {run.name, cell(run.config, "train.seed"),
           steps ? number_text(steps->steps.back(), 9) : "0", cell_text(run.last("tokens")),
           cell_text(seconds), cell_text(median_of(run, "tokens_per_s")),
           std::isfinite(busy) ? number_text(100 * busy, 2) + "%" : "",
           seconds > 0 ? number_text(100 * waited / seconds, 2) + "%" : "",
           cell_text(run.last("loss")), cell_text(run.last("val_loss")),
           cell_text(run.last("val_bits_per_byte")), cell(run.config, "data.train")});
      const std::string copy = run.directory + "-again";
      const std::string output =
          "train.output_dir=" + (first_invalid_utf8(copy) ? copy : dump_toml(TomlValue{copy}));
      again += "cria train " + shell_word(run.directory + "/config.toml") + " " +
               shell_word(output) + "\n";
    }
  }
  page.table("What each came to; speeds are medians of its steps", runs);
  add_starts(page, groups);
  if (groups.size() > 1) {
    Table differences = {{"key"}, config_differences(groups)};
    for (const RunGroup& group : groups) differences.headings.push_back(group.name);
    page.table("What differs between their configs", differences);
  }
  page.preformatted("The commands that make these runs again:", again);
}

void add_samples(Page& page, const std::vector<RunGroup>& groups) {
  constexpr size_t kMostRuns = 4, kMostSamples = 4, kMostBytes = 1000;
  bool begun = false;
  for (size_t i = 0; i < std::min(groups.size(), kMostRuns); ++i) {
    const RunHistory& run = groups[i].runs.front();
    const size_t count = std::min(run.samples.size(), kMostSamples);
    for (size_t k = 0; k < count; ++k) {
      if (!begun) page.heading("What they write");
      begun = true;
      // The first, the last, and some between them.
      const size_t index = count == 1 ? 0 : k * (run.samples.size() - 1) / (count - 1);
      const auto& [step, text] = run.samples[index];
      page.preformatted(run.name + " at step " + step, beginning(text, kMostBytes));
    }
  }
}

}  // namespace cria
