#include "report/experiment_sections.h"

#include <cmath>
#include <filesystem>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "report/run_sections.h"

namespace cria {
namespace {

std::string results_path(const std::string& directory) {
  return join_path(directory, "results.json");
}

// A number of results.json, whose infinities are null; NaN where there is none.
double number_in(const Json& object, const char* key, const std::string& path) {
  const Json* const value = object.find(key);
  return value && !value->is_null() ? value->as_double(path + ": " + key) : NAN;
}

// "+0.021 ± 0.006"; of one seed without an interval.
std::string difference_cell(const Json& variant, const char* key, const std::string& path) {
  const Json* const difference = variant.find(key);
  if (!difference) return "";
  const double mean = number_in(*difference, "mean", path);
  const double half_width = number_in(*difference, "half_width_95", path);
  if (std::isnan(mean) || number_in(*difference, "seeds", path) == 0) return "";
  return (mean > 0 ? "+" : "") + number_text(mean, 3) +
         (std::isfinite(half_width) ? " \u00b1 " + number_text(half_width, 2) : "");
}

std::string name_of(const Json& variant, const std::string& path) {
  return isolated(variant.at("name", path).as_string(path + ": name"));
}

}  // namespace

bool is_experiment(const std::string& directory) {
  return exists(results_path(directory));
}

ExperimentHistory read_experiment_history(const std::string& directory) {
  const std::string path = results_path(directory);
  const Json results = read_json(path);
  ExperimentHistory experiment;
  experiment.directory = directory;
  experiment.file = results.at("experiment", path).as_string(path + ": experiment");
  experiment.reference = isolated(results.at("reference", path).as_string(path + ": reference"));
  experiment.complete = results.at("complete", path).as_bool(path + ": complete");
  experiment.variants = results.at("variants", path).as_array(path + ": variants");
  if (experiment.variants.empty()) throw Error("an experiment without variants", {.where = path});
  for (const Json& variant : experiment.variants) {
    RunGroup group = {name_of(variant, path), {}};
    for (const Json& run : results.at("runs", path).as_array(path + ": runs")) {
      if (run.at("variant", path) != variant.at("name", path)) continue;
      if (run.at("sweep", path) != variant.at("sweep", path)) continue;
      // The experiment may have moved since: its runs are beside results.json.
      const std::string& written = run.at("directory", path).as_string(path + ": directory");
      const std::string own = join_path(join_path(directory, "runs"),
                                        std::filesystem::path(written).filename().string());
      if (is_run(own)) group.runs.push_back(read_run_history(own));
    }
    if (!group.runs.empty()) experiment.groups.push_back(std::move(group));
  }
  return experiment;
}

std::vector<std::string> verdict_of_experiment(const ExperimentHistory& experiment) {
  const std::string path = results_path(experiment.directory);
  std::vector<std::string> verdict;
  for (const Json& variant : experiment.variants) {
    const Json* const sentence = variant.find("verdict");
    if (sentence) verdict.push_back(isolated(sentence->as_string(path + ": verdict")) + ".");
  }
  if (!experiment.complete) verdict.push_back("Some of its runs are still to come.");
  return verdict;
}

void add_experiment(Page& page, const ExperimentHistory& experiment) {
  const std::string path = results_path(experiment.directory);
  Table table = {{"variant"}};
  std::vector<Interval> differences;
  size_t certain = 0;
  for (const auto& [key, value] :
       experiment.variants.front().at("sweep", path).as_object(path + ": sweep")) {
    table.headings.push_back(isolated(key));
  }
  table.headings.insert(table.headings.end(),
                        {"validation loss", "s.d.", "difference", "at equal tokens",
                         "at equal time", "runs", "diverged", "parameters", "tokens/CPU s"});
  for (const Json& variant : experiment.variants) {
    const std::string name = name_of(variant, path);
    std::vector<std::string> row = {name};
    for (const auto& [key, value] : variant.at("sweep", path).as_object(path + ": sweep")) {
      row.push_back(isolated(value.dump()));
    }
    const auto number = [&](const char* key) { return number_in(variant, key, path); };
    row.insert(row.end(),
               {cell_text(number("val_loss")), cell_text(number("val_loss_deviation"), 2),
                difference_cell(variant, "difference", path),
                difference_cell(variant, "difference_at_equal_tokens", path),
                difference_cell(variant, "difference_at_equal_seconds", path),
                cell_text(number("runs")), cell_text(number("diverged")),
                cell_text(number("parameters")), cell_text(number("tokens_per_cpu_s"))});
    table.rows.push_back(std::move(row));
    const Json* const difference = variant.find("difference");
    if (!difference || number_in(*difference, "seeds", path) == 0) continue;
    const double mean = number_in(*difference, "mean", path);
    const double half_width = number_in(*difference, "half_width_95", path);
    differences.push_back(
        {name, mean, std::isnan(half_width) ? INFINITY : half_width, table.rows.size() - 1});
    certain += std::abs(mean) > differences.back().half_width;
  }
  page.table("Each variant at its best; differences from " + experiment.reference +
                 " with the same seed, with 95% intervals",
             table);
  if (!differences.empty()) {
    page.figures({forest_plot(
        std::to_string(certain) + " of " + std::to_string(differences.size()) +
            (differences.size() == 1 ? " variant differs" : " variants differ") + " from " +
            experiment.reference + " for certain",
        "Difference of the validation loss at the end, with a 95% interval over the seeds. Left of "
        "0 is better than " +
            experiment.reference + ".",
        "difference of the validation loss, nats per token", differences)});
  }
  page.preformatted("The command that makes it again:",
                    "cria experiment " + shell_word(experiment.file) + " --out " +
                        shell_word(experiment.directory + "-again"));
  if (experiment.groups.empty()) return;
  page.heading("Its runs");
  add_curves(page, experiment.groups);
  add_diagnostics(page, experiment.groups);
  add_run_facts(page, experiment.groups);
  add_samples(page, experiment.groups);
}

}  // namespace cria
