// What a key of a config that does not exist was probably meant to be.
#pragma once

#include <string>

#include "cria/train/run_config.h"

namespace cria {

// A key of `config` with that name in another table, or what other programs' word for it is called
// here, or one that is written nearly so; "" when there is none. name: with or without a table.
std::string nearest_key(const std::string& name, RunConfig config = {});

// "did you mean 'train.steps'? ...", or "".
std::string key_hint(const std::string& name, const RunConfig& config);

}  // namespace cria
