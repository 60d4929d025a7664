#include "report/report.h"

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "report/experiment_sections.h"
#include "report/page.h"
#include "report/run_sections.h"

namespace cria {

std::string make_report(const std::vector<std::string>& directories) {
  std::vector<RunHistory> runs;
  std::vector<ExperimentHistory> experiments;
  for (const std::string& directory : directories) {
    if (is_experiment(directory)) {
      experiments.push_back(read_experiment_history(directory));
    } else if (is_run(directory)) {
      runs.push_back(read_run_history(directory));
    } else {
      throw Error(exists(directory) ? "neither a run nor an experiment" : "no such directory",
                  {.where = directory,
                   .expected = "the directory of a run, with metrics.jsonl, or of an experiment, "
                               "with results.json",
                   .hint = "'cria train' and 'cria experiment' make them"});
    }
  }
  const std::vector<RunGroup> groups = group_by_seed(std::move(runs));
  std::vector<std::string> verdict;
  if (!groups.empty()) verdict = verdict_of_runs(groups);
  for (const ExperimentHistory& experiment : experiments) {
    for (const std::string& sentence : verdict_of_experiment(experiment)) {
      verdict.push_back(sentence);
    }
  }
  std::string title = "cria report: " + isolated(directories.front());
  if (directories.size() > 1) title += " and " + std::to_string(directories.size() - 1) + " more";
  Page page(title, verdict);
  if (!groups.empty()) {
    page.heading("Curves");
    add_curves(page, groups);
    add_diagnostics(page, groups);
    add_run_facts(page, groups);
    add_samples(page, groups);
  }
  for (const ExperimentHistory& experiment : experiments) {
    page.heading("Experiment " + isolated(experiment.directory));
    add_experiment(page, experiment);
  }
  return page.take();
}

}  // namespace cria
