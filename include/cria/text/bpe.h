// Byte-level BPE: a vocabulary.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cria/text/pretokenizer.h"

namespace cria {

struct BpeMerge {
  int32_t left, right, result;
};

struct AddedToken {
  std::string text;
  int32_t id;
  bool special;
};

struct BpeVocabulary {
  std::vector<std::string> tokens;  // the bytes of each id (added tokens included)
  std::vector<BpeMerge> merges;     // in order of rank
  std::vector<AddedToken> added;
  Pattern pattern = Pattern::gpt2;
  bool ignore_merges = false;  // a piece that is a token is that token, whatever the merges say
};

}  // namespace cria
