// What text/pretokenizer declares, for ASCII text and GPT-2's pattern only; goes when that unit
// comes.
#include <algorithm>

#include "cria/base/error.h"
#include "cria/text/pretokenizer.h"

namespace cria {
namespace {

enum class Kind { space, letter, number, other };

Kind kind_of(char c) {
  if (c == ' ' || (c >= '\t' && c <= '\r')) return Kind::space;
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return Kind::letter;
  return c >= '0' && c <= '9' ? Kind::number : Kind::other;
}

}  // namespace

const std::vector<std::string>& pattern_names() {
  static const std::vector<std::string> names = {"gpt2", "gpt4", "llama3"};
  return names;
}

Pattern pattern(const std::string& name) {
  for (size_t i = 0; i < pattern_names().size(); ++i) {
    if (pattern_names()[i] == name) return static_cast<Pattern>(i);
  }
  throw Error("unknown pattern");
}

size_t piece_end(Pattern, std::string_view text, size_t begin) {
  for (const std::string_view suffix : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
    if (text.substr(begin).starts_with(suffix)) return begin + suffix.size();
  }
  size_t at = begin;
  if (text[at] == ' ' && at + 1 < text.size() && kind_of(text[at + 1]) != Kind::space) ++at;
  const Kind kind = kind_of(text[at]);
  size_t end = at + 1;
  while (end < text.size() && kind_of(text[end]) == kind) ++end;
  return kind == Kind::space && end < text.size() && end - begin > 1 ? end - 1 : end;
}

}  // namespace cria
