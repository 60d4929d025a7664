// Terminals: what a stream is, and what may be written to it.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

namespace cria {

bool is_terminal(std::FILE* out);

// A terminal, unless the environment variable NO_COLOR is set and not empty.
bool takes_colors(std::FILE* out);

// Text that others wrote, as it may be written to `out`: on a terminal without what that would take
// for a command. Elsewhere as it is.
std::string shown(std::FILE* out, std::string_view text);

// Columns; 80 where nothing says.
size_t terminal_width(std::FILE* out);

}  // namespace cria
