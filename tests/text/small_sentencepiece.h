// A vocabulary of SentencePiece's kind, small enough to follow by hand.
#pragma once

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "text/sentencepiece.h"

namespace cria {

inline constexpr int32_t kFirstByte = 3;  // <0x00>

// <unk>, <s>, </s>, the bytes, then the characters, "\u2581" the first of them, then what the
// merges make.
inline SentencePieceVocabulary small_sentencepiece(
    const std::vector<std::string>& characters,
    const std::vector<std::pair<std::string, std::string>>& merges) {
  SentencePieceVocabulary vocabulary;
  std::vector<std::string>& names = vocabulary.names;
  names = {"<unk>", "<s>", "</s>"};
  for (int32_t id = 0; id < 3; ++id) vocabulary.added.push_back({names[id], id, true});
  for (unsigned byte = 0; byte < 256; ++byte) {
    std::array<char, 8> name;
    std::snprintf(name.data(), name.size(), "<0x%02X>", byte);
    names.emplace_back(name.data());
  }
  names.emplace_back("\u2581");
  names.insert(names.end(), characters.begin(), characters.end());
  const auto id = [&](const std::string& name) {
    const auto found = std::ranges::find(names, name);
    if (found != names.end()) return static_cast<int32_t>(found - names.begin());
    names.push_back(name);
    return static_cast<int32_t>(names.size()) - 1;
  };
  for (const auto& [left, right] : merges) {
    vocabulary.merges.push_back({id(left), id(right), id(left + right)});
  }
  vocabulary.own = names.size();
  return vocabulary;
}

}  // namespace cria
