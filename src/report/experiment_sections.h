// What an experiment came to, from its directory.
#pragma once

#include <string>
#include <vector>

#include "cria/base/json.h"
#include "report/page.h"
#include "report/run_history.h"

namespace cria {

bool is_experiment(const std::string& directory);  // whether it has results.json

struct ExperimentHistory {
  std::string directory, file;  // file: what describes it
  std::string reference;        // the variant that others are compared with
  bool complete = false;
  Json::Array variants;  // see results_json
  std::vector<RunGroup>
      groups;  // of each variant the runs at its point, where they are still there
};

// Error, naming the file, when it is not as 'cria experiment' writes it.
ExperimentHistory read_experiment_history(const std::string& directory);

std::vector<std::string> verdict_of_experiment(const ExperimentHistory& experiment);
void add_experiment(Page& page, const ExperimentHistory& experiment);

}  // namespace cria
