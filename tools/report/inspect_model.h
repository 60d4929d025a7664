// cria inspect for models and other files of tensors.
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"

namespace cria {

// Whether a path names weights: a model directory, a run, an index of safetensors, or a file that
// begins as one of tensors.
bool names_model(const std::string& path);

// Those that only a model has.
const std::vector<Option>& model_options();

int inspect_model(const Options& options, const std::string& path);

// With --diagnostics: what goes on inside a model, measured on data.
int inspect_diagnostics(const Options& options, const std::string& path);

}  // namespace cria
