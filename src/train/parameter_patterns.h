// Parameters that a config chooses by patterns of their names.
#pragma once

#include "cria/tensor/parameters.h"
#include "cria/train/run_config.h"

namespace cria {

// Error, naming the key, when a group of the optimizer or a pattern of train.freeze has no
// parameter, and when all parameters are frozen. Memory of the parameters is not needed.
void require_pattern_members(const RunConfig& config, const Parameters& parameters);

// Freezes what train.freeze says, before there is an optimizer. For good: nothing is thawed.
void freeze_parameters(const RunConfig& config, Parameters& parameters);

}  // namespace cria
