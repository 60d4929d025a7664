// Words as tokens.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cria/text/tokenizer.h"

namespace cria {

// The first token of a vocabulary of words: every word that has no token.
inline constexpr const char* kUnknownWord = "<unk>";

// A token is a run of letters, a run of numbers or a single sign (Regex::words); white space is
// between tokens and no token itself. Token 0, which words do not hold, is kUnknownWord and has
// the role unk; then the words, in order, then the added tokens. As text a token is a space and its
// word, the first of a text without the space. Error for words that are empty or there twice.
std::unique_ptr<Tokenizer> make_word_tokenizer(std::vector<std::string> words,
                                               std::vector<AddedToken> added = {});

}  // namespace cria
