// cria compare: runs side by side, on the terminal.
#include <cmath>
#include <cstdio>
#include <limits>

#include "base/timing.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cria/base/error.h"
#include "report/report_text.h"
#include "report/run_history.h"

namespace cria {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

struct ComparedRun {
  RunHistory history;
  double steps = kNone, val_loss = kNone, best_val_loss = kNone, best_step = kNone;
  double bits_per_byte = kNone, train_loss = kNone, tokens_per_second = kNone;
};

ComparedRun read_compared(const std::string& directory) {
  if (!is_run(directory)) {
    throw Error("not a run",
                {.where = directory,
                 .expected = "a directory with metrics.jsonl, as 'cria train' makes it"});
  }
  ComparedRun run{.history = read_run_history(directory)};
  const RunHistory& history = run.history;
  if (const Series* loss = history.find("loss"); loss && !loss->values.empty()) {
    run.steps = loss->steps.back();
    run.train_loss = mean_of_end(loss->values);
  }
  if (const Series* val = history.find("val_loss")) {
    for (size_t i = 0; i < val->values.size(); ++i) {
      if (!(val->values[i] < run.best_val_loss) && !std::isnan(run.best_val_loss)) continue;
      run.best_val_loss = val->values[i];
      run.best_step = val->steps[i];
    }
  }
  run.val_loss = history.last("val_loss");
  run.bits_per_byte = history.last("val_bits_per_byte");
  run.tokens_per_second = history.last("tokens_per_s");
  return run;
}

Json step_or_null(double step) {
  return std::isfinite(step) ? Json(static_cast<int64_t>(step)) : Json();
}

// Every run by itself, so that seeds differ too.
std::vector<std::vector<std::string>> differences_of(const std::vector<ComparedRun>& runs) {
  std::vector<RunGroup> groups;
  for (const ComparedRun& run : runs) groups.push_back({run.history.name, {run.history}});
  return config_differences(groups);
}

void print_json(const std::vector<ComparedRun>& runs) {
  Json::Array rows, differences;
  for (const ComparedRun& run : runs) {
    rows.push_back(Json::Object{{"run", run.history.name},
                                {"directory", run.history.directory},
                                {"steps", step_or_null(run.steps)},
                                {"val_loss", run.val_loss},
                                {"best_val_loss", run.best_val_loss},
                                {"best_step", step_or_null(run.best_step)},
                                {"val_bits_per_byte", run.bits_per_byte},
                                {"train_loss", run.train_loss},
                                {"tokens_per_s", run.tokens_per_second}});
  }
  for (const std::vector<std::string>& row : differences_of(runs)) {
    Json::Array values(row.begin() + 1, row.end());
    differences.push_back(Json::Object{{"key", row.front()}, {"values", values}});
  }
  print_json(Json::Object{{"runs", rows}, {"differences", differences}});
}

void print_tables(const std::vector<ComparedRun>& runs) {
  std::vector<std::vector<std::string>> lines;
  for (const ComparedRun& run : runs) {
    lines.push_back({run.history.name, fixed_or_dash(run.steps, 0), fixed_or_dash(run.val_loss, 4),
                     fixed_or_dash(run.best_val_loss, 4), fixed_or_dash(run.best_step, 0),
                     fixed_or_dash(run.train_loss, 4), fixed_or_dash(run.bits_per_byte, 4),
                     fixed_or_dash(run.tokens_per_second, 0)});
  }
  print_table({{"run", true},
               {"steps"},
               {"val loss"},
               {"best"},
               {"at step"},
               {"train loss", false, true},
               {"bits/byte", false, true},
               {"tokens/s", false, true}},
              lines);
  std::vector<TableColumn> columns = {{"what differs", true}};
  for (const ComparedRun& run : runs) columns.push_back({run.history.name, true});
  const auto differences = differences_of(runs);
  if (differences.empty()) return;
  std::printf("\n");
  print_table(columns, differences);
}

}  // namespace

int run_compare(const Arguments& arguments) {
  Options options(
      "compare", "RUN...",
      "Runs side by side: losses (of training, the mean over the last tenth of the "
      "steps), the best validation loss and its step, and the keys of their configs that "
      "differ.",
      {{"json", "", "print the results as JSON"}});
  if (!options.parse(arguments, 1)) return 0;
  std::vector<ComparedRun> runs;
  for (const std::string& directory : options.positional()) {
    runs.push_back(read_compared(directory));
  }
  if (options.has("json")) {
    print_json(runs);
  } else {
    print_tables(runs);
  }
  return 0;
}

}  // namespace cria
