// The keys of a model: their ranges and meanings, for TOML, config.json and the help alike.
#pragma once

#include <vector>

#include "base/config_key.h"
#include "cria/model/config.h"

namespace cria {

// "model.hidden_size" and all the others, over the fields of config.
std::vector<Key> model_keys(ModelConfig& config);

}  // namespace cria
