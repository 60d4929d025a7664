// The ids of a text.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "cria/text/tokenizer.h"

namespace cria {

// Of the text alone, with nothing around it.
inline std::vector<int32_t> encoded(const Tokenizer& tokenizer, std::string_view text,
                                    bool allow_special = false) {
  std::vector<int32_t> ids;
  tokenizer.encode(text, ids, "text", 0, allow_special);
  return ids;
}

}  // namespace cria
