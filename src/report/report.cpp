#include "report/report.h"

#include "base/first_error.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/exchange/load_model.h"
#include "report/embedding_sections.h"
#include "report/experiment_sections.h"
#include "report/page.h"
#include "report/run_sections.h"
#include "report/sentence_sections.h"

namespace cria {

std::string make_report(const std::vector<std::string>& directories,
                        const std::optional<std::string>& text) {
  std::vector<RunHistory> runs;
  std::vector<EmbeddingHistory> embeddings;
  std::optional<std::string> problem;
  std::vector<ExperimentHistory> experiments;
  for (const std::string& directory : directories) {
    if (is_experiment(directory)) {
      experiments.push_back(read_experiment_history(directory));
    } else if (is_run(directory)) {
      runs.push_back(read_run_history(directory));
      if (directories.size() == 1 && !list_checkpoints(directory).empty()) {
        // The rest of the page does without.
        problem =
            message_of_error([&] { embeddings.push_back(read_embedding_history(directory)); });
      }
    } else if (is_model_directory(directory)) {
      embeddings.push_back(read_embedding_history(directory));
    } else {
      throw Error(
          exists(directory) ? "neither a run, an experiment nor a model" : "no such directory",
          {.where = directory,
           .expected = "the directory of a run, with metrics.jsonl, of an experiment, "
                       "with results.json, or of a model, with config.json",
           .hint = "'cria train' and 'cria experiment' make them"});
    }
  }
  const std::vector<RunGroup> groups = group_by_seed(std::move(runs));
  std::optional<Sentence> sentence;
  if (text) sentence = read_sentence(directories.front(), *text);
  std::vector<std::string> verdict;
  const auto add = [&](const std::vector<std::string>& sentences) {
    verdict.insert(verdict.end(), sentences.begin(), sentences.end());
  };
  if (sentence) add(verdict_of_sentence(*sentence));
  if (!groups.empty()) add(verdict_of_runs(groups));
  for (const ExperimentHistory& experiment : experiments) add(verdict_of_experiment(experiment));
  for (const EmbeddingHistory& each : embeddings) add(verdict_of_embeddings(each));
  std::string title = "cria report: " + isolated(directories.front());
  if (directories.size() > 1) title += " and " + std::to_string(directories.size() - 1) + " more";
  Page page(title, verdict);
  if (sentence) add_sentence(page, *sentence);
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
  for (const EmbeddingHistory& each : embeddings) add_embeddings(page, each);
  if (problem) page.preformatted("No maps of the tokens:", *problem);
  return page.take();
}

}  // namespace cria
