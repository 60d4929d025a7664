// What the command line of cria prepare asks for.
#pragma once

#include <vector>

#include "cli/options.h"
#include "prepare/prepare.h"

namespace cria {

const std::vector<Option>& prepare_options();

// UsageError for options that exclude or need each other.
PrepareRequest request_of(const Options& options);

}  // namespace cria
