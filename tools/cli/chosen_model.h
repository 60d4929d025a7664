// Which model a command uses.
#pragma once

#include <string>

#include "cria/exchange/model_directory.h"

namespace cria {

// Says on standard error which checkpoint of a run MODEL stood for, and where the run's best is, if
// that is another. Nothing for a model directory.
void tell_chosen_model(const std::string& path, const LoadedModel& loaded);

}  // namespace cria
