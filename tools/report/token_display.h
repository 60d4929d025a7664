// Tokens side by side, so that one sees where each ends.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace cria {

// With colors (a terminal's escape sequences), patches of alternating background, a line's end
// shown as an arrow; else tokens with '|' between them, and a '|' or '\' of a token escaped. Bytes
// that are no character on their own are \xNN. A line of text is a line of output, or several of at
// most `width` columns that end between tokens. Ends with a line's end unless there are no tokens.
std::string display_tokens(const std::vector<std::string_view>& tokens, bool colors, size_t width);

}  // namespace cria
