// Text in place of other text, wherever it stands.
#pragma once

#include <string>
#include <string_view>

namespace cria {

// text with `to` for every `from`, which is not empty; linear in the size of both.
inline std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (size_t at; (at = text.find(from)) != text.npos; text.remove_prefix(at + from.size())) {
    out += text.substr(0, at);
    out += to;
  }
  return out += text;
}

}  // namespace cria
