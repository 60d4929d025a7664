// Tokens where a chart or a table names them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "cria/text/tokenizer.h"

namespace cria {

// The token's bytes with every space seen, escaped where they are no text, their direction kept to
// themselves.
std::string token_label(std::string_view token);
// The same; "id 7" without a tokenizer and for an id that it lacks.
std::string token_label(const Tokenizer* tokenizer, int64_t id);

// What a token is by its letters, after a space: for colours.
enum class TokenKind { word, capital, part, number, other };
inline constexpr std::array kTokenKinds = {"words, after a space", "with a capital letter: names",
                                           "parts of words, letters", "numbers",
                                           "punctuation, spaces, others"};
TokenKind token_kind(std::string_view token);
TokenKind token_kind(const Tokenizer* tokenizer, int64_t id);  // other, for what is none

}  // namespace cria
