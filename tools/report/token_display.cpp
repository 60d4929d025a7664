#include "report/token_display.h"

#include <array>

#include "base/unicode.h"

namespace cria {
namespace {

constexpr std::string_view kSeparator = "|";
constexpr std::string_view kReset = "\033[0m";
// Black on five light colours of the 256 that terminals share: legible on any background around.
constexpr std::array<std::string_view, 5> kPatches = {"\033[30;48;5;153m", "\033[30;48;5;157m",
                                                      "\033[30;48;5;223m", "\033[30;48;5;217m",
                                                      "\033[30;48;5;189m"};

// With colors, blanks are seen as they are; only a line's end needs a sign.
std::string visible(std::string_view token, bool colors) {
  if (!colors) return escape(token, "\\|");
  std::string out;
  for (size_t begin = 0;;) {
    const size_t end = token.find('\n', begin);
    out += escape(token.substr(begin, end - begin));
    if (end == std::string_view::npos) return out;
    out += "↵";
    begin = end + 1;
  }
}

}  // namespace

std::string display_tokens(const std::vector<std::string_view>& tokens, bool colors, size_t width) {
  std::string out;
  size_t column = 0;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string text = visible(tokens[i], colors);
    const size_t columns = count_characters(text) + (colors ? 0 : kSeparator.size());
    if (column > 0 && column + columns > width) {
      out += '\n';
      column = 0;
    }
    const bool is_last = i + 1 == tokens.size();
    if (colors) {
      out.append(kPatches[i % kPatches.size()]).append(text).append(kReset);
    } else {
      out.append(text).append(is_last ? "" : kSeparator);
    }
    column += columns;
    if (is_last || tokens[i].find('\n') != std::string_view::npos) {
      out += '\n';
      column = 0;
    }
  }
  return out;
}

}  // namespace cria
