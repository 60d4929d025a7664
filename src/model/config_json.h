// ModelConfig in and out of Hugging Face's config.json.
#pragma once

#include <optional>
#include <string>

#include "cria/base/json.h"
#include "cria/model/config.h"

namespace cria {

// A key whose value Hugging Face's Llama does not know, or would compute otherwise.
struct LlamaDifference {
  std::string key;            // "position"
  std::string got, expected;  // "\"alibi\"", "\"rope\""
};

// The first of them, if any. config as resolved() gives it.
std::optional<LlamaDifference> difference_from_llama(const ModelConfig& config);

// model_type "llama" when Hugging Face's Llama computes the same (RoPE, scaled or not, on the rows
// of the table as they are, see difference_from_llama), else "cria" with keys of cria's own, so
// that no other program loads it and computes something else. What concerns a run and not the
// trained model (embedding.sparse, freeze, scale_grad_by_freq, pretrained, scale_residual_init) is
// not written. config as resolved() gives it.
Json to_json(const ModelConfig& config);

// The result is resolved. Unknown keys are ignored, and cria's own where model_type is "llama";
// what cria would compute differently (another architecture, activation or kind of RoPE) is an
// Error naming where (the file) and the key.
ModelConfig model_config_from_json(const Json& json, const std::string& where);

}  // namespace cria
