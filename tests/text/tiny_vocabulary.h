// Byte-level vocabularies small enough to follow by hand.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "text/bpe_tokenizer.h"

namespace cria {

// Ids 0 to 255 are the bytes; each merge makes the next id, unless what it makes is there already.
inline BpeVocabulary tiny_vocabulary(const std::vector<std::pair<std::string, std::string>>& merges,
                                     const std::vector<std::string>& special = {}) {
  BpeVocabulary vocabulary;
  std::vector<std::string>& tokens = vocabulary.tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  const auto id = [&](const std::string& token) {
    const auto found = std::find(tokens.begin(), tokens.end(), token);
    if (found == tokens.end()) tokens.push_back(token);
    return static_cast<int32_t>(std::find(tokens.begin(), tokens.end(), token) - tokens.begin());
  };
  for (const auto& [left, right] : merges) {
    vocabulary.merges.push_back({id(left), id(right), id(left + right)});
  }
  for (const std::string& text : special) {
    vocabulary.added.push_back({text, static_cast<int32_t>(tokens.size()), true});
    tokens.push_back(text);
  }
  return vocabulary;
}

}  // namespace cria
