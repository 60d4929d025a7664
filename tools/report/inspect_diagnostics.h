// cria inspect --diagnostics: what goes on inside a model, measured on data.
#pragma once

#include <string>

#include "cli/options.h"

namespace cria {

int inspect_diagnostics(const Options& options, const std::string& path);

}  // namespace cria
