// ModelConfig in and out of Hugging Face's config.json.
#pragma once

#include <string>

#include "cria/base/json.h"
#include "cria/model/config.h"

namespace cria {

// model_type "llama" when Hugging Face's Llama computes the same (RoPE), else "cria", so that no
// other program loads it and computes something else. config as resolved() gives it.
Json to_json(const ModelConfig& config);

// The result is resolved. Unknown keys are ignored; what cria would compute differently (another
// architecture or activation, scaled RoPE) is an Error naming where (the file) and the key.
ModelConfig model_config_from_json(const Json& json, const std::string& where);

}  // namespace cria
