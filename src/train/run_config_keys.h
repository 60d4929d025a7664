// The keys of a config file.
#pragma once

#include <string>
#include <vector>

#include "base/config_key.h"
#include "cria/train/run_config.h"

namespace cria {

inline const std::string kSources = "data.sources.", kGroups = "optimizer.groups.";

// The one list of keys. Everything that reads, writes or explains a config walks it.
std::vector<Key> keys_of(RunConfig& config);

}  // namespace cria
