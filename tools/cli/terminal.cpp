#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

#include "base/unicode.h"

namespace cria {

bool is_terminal(std::FILE* out) {
  return ::isatty(::fileno(out)) == 1;
}

bool takes_colors(std::FILE* out) {
  const char* const no_color = std::getenv("NO_COLOR");
  return is_terminal(out) && (!no_color || !*no_color);
}

std::string shown(std::FILE* out, std::string_view text) {
  return is_terminal(out) ? escape(text, "", "\n\t") : std::string(text);
}

size_t terminal_width(std::FILE* out) {
  winsize size{};
  return ::ioctl(::fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace cria
