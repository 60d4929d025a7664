// What is in a vocabulary, and what a tokenizer makes of a text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cria/text/tokenizer.h"

namespace cria {

// Counts all tokens but the added ones, which are names rather than text.
struct VocabularyStatistics {
  std::vector<int64_t> by_length;  // tokens of each length in bytes, from 0 to the longest
  std::vector<int32_t> longest;    // the longest first, of equals the lowest id first
  int64_t tokens = 0;
  int64_t not_utf8 = 0;  // tokens that are no valid UTF-8 on their own
};

// longest: at most `top` of them.
VocabularyStatistics vocabulary_statistics(const Tokenizer& tokenizer, size_t top);

struct Compression {
  int64_t bytes = 0, tokens = 0;
  int64_t words = 0;  // the longest runs of characters that are not white space
};

// All of text, on all threads, in bounded memory. Error of the tokenizer naming where and byte.
Compression compression(const Tokenizer& tokenizer, std::string_view text,
                        const std::string& where);

// The ids of the first `bytes` of text or, for what must not be cut there, a little more.
std::vector<int32_t> first_ids(const Tokenizer& tokenizer, std::string_view text, size_t bytes,
                               const std::string& where);

}  // namespace cria
