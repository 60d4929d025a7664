// What `cria inspect --diagnostics` has found, and how it is shown.
#pragma once

#include <string>
#include <vector>

#include "cria/base/json.h"
#include "cria/model/config.h"
#include "inspect/diagnostics.h"
#include "train/part_norms.h"

namespace cria {

struct DiagnosticsReport {
  std::string model, data;
  ModelConfig config;
  DatasetDiagnostics measured;
  std::vector<PartNorms> parts;  // of weights and gradients
  LossSpikes spikes;             // of a run,
  int64_t steps = 0;             // in so many steps; 0: no run
};

// The numbers by the names that they have in metrics.jsonl.
Json to_json(const DiagnosticsReport& report);
void print(const DiagnosticsReport& report);

}  // namespace cria
