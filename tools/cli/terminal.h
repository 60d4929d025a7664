// Terminals: what a stream is, and what may be written to it.
#pragma once

#include <cstddef>
#include <cstdio>

namespace cria {

bool is_terminal(std::FILE* out);

// A terminal, unless the environment variable NO_COLOR is set and not empty.
bool takes_colors(std::FILE* out);

// Columns; 80 where nothing says.
size_t terminal_width(std::FILE* out);

}  // namespace cria
