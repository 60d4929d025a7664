// Whether token shards go with a tokenizer.
#pragma once

#include <string>

#include "cria/text/tokenizer.h"

namespace cria {

// Error when the dataset.json beside the shards that glob names, if there is one, was made with
// another tokenizer.
void require_tokenizer_of(const std::string& glob, const Tokenizer& tokenizer);

}  // namespace cria
