// The model that a config describes, for commands that need no data.
#pragma once

#include <string>
#include <vector>

#include "cria/train/run_config.h"

namespace cria {

// arguments: CONFIG, then overrides. The vocabulary is the config's or, when it leaves that open,
// its tokenizer's.
RunConfig model_from_config(const std::vector<std::string>& arguments);

}  // namespace cria
