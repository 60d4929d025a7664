// Which model a command uses: a MODEL, or what a config describes, which needs no data.
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"
#include "cria/exchange/load_model.h"
#include "cria/train/run_config.h"

namespace cria {

// arguments: CONFIG, then overrides. The vocabulary is the config's or, when it leaves that open,
// its tokenizer's.
RunConfig model_from_config(const std::vector<std::string>& arguments);

// Whether an argument that may be a MODEL is a CONFIG instead: NAME.toml.
bool is_config(const std::string& path);

// What training by CONFIG would begin with: its initial weights, and its tokenizer, if it has one.
LoadedModel initial_model(const std::string& config);

// load_model, or initial_model of a CONFIG.
LoadedModel load_model_or_config(const std::string& path);

// Says on standard error which checkpoint of a run MODEL stood for, and where the run's best is, if
// that is another. Nothing for a model directory.
void tell_chosen_model(const std::string& path, const LoadedModel& loaded);

// --sequence-length of what only reads texts: as trained, at most 2048, unless it is given.
int64_t sequence_length_of(const Options& options, const ModelConfig& config);

}  // namespace cria
