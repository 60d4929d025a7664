#include "text/pretokenizer.h"

#include <algorithm>
#include <array>

#include "base/unicode.h"
#include "base/unicode_classes.h"
#include "cria/base/error.h"

namespace cria {
namespace {

constexpr std::array<UnicodeClass, 128> ascii_classes() {
  std::array<UnicodeClass, 128> classes{};
  for (int c = '0'; c <= '9'; ++c) classes[c] = UnicodeClass::number;
  for (int c = 'a'; c <= 'z'; ++c) classes[c] = classes[c - 'a' + 'A'] = UnicodeClass::letter;
  for (int c = '\t'; c <= '\r'; ++c) classes[c] = UnicodeClass::space;
  classes[' '] = UnicodeClass::space;
  return classes;
}
constexpr std::array<UnicodeClass, 128> kAscii = ascii_classes();

struct Character {
  UnicodeClass kind;
  size_t end;
};

Character wide_character_at(std::string_view text, size_t at) {
  const Decoded decoded = decode_utf8(text, at);
  if (decoded.length == 0) return {UnicodeClass::other, at + 1};
  return {unicode_class(decoded.code_point), at + static_cast<size_t>(decoded.length)};
}

inline Character character_at(std::string_view text, size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < kAscii.size()) return {kAscii[byte], at + 1};
  return wide_character_at(text, at);
}

// The beginning of the character that `at` is in the middle of, or at itself.
size_t character_start(std::string_view text, size_t at) {
  for (size_t back = 1; back < 4 && back <= at && at < text.size(); ++back) {
    if (starts_character(text[at])) break;
    const Decoded decoded = decode_utf8(text, at - back);
    if (decoded.length != 0) return static_cast<size_t>(decoded.length) > back ? at - back : at;
  }
  return at;
}

bool is_ascii_space(char byte) {
  return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

// The end of the characters of one kind from `at` on, there may be none.
size_t run_end(std::string_view text, size_t at, UnicodeClass kind) {
  while (at < text.size()) {
    const Character c = character_at(text, at);
    if (c.kind != kind) break;
    at = c.end;
  }
  return at;
}

bool is_newline(char byte) {
  return byte == '\n' || byte == '\r';
}

// [\r\n]*
size_t newlines_end(std::string_view text, size_t at) {
  while (at < text.size() && is_newline(text[at])) ++at;
  return at;
}

// 's|'t|'re|'ve|'m|'ll|'d at begin, or begin itself when it has none of them.
size_t contraction_end(std::string_view text, size_t begin, bool any_case) {
  if (text[begin] != '\'') return begin;
  const auto letter = [&](size_t i) {
    if (begin + i >= text.size()) return '\0';
    const char c = text[begin + i];
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  const char first = letter(1), second = letter(2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return begin + 2;
  if (second == 'e' && (first == 'r' || first == 'v')) return begin + 3;
  if (second == 'l' && first == 'l') return begin + 3;
  if (any_case && text.substr(begin + 1).starts_with("\u017F")) return begin + 3;  // long s
  return begin;
}

// Where a run of white space that begins at `begin` is cut:
//   \s*[\r\n]+  with newlines_first: after its last newline, if it has one;
//   \s+(?!\S)   before its last character, which is given back because what follows the run is no
//               white space; at the end of text nothing follows, and all of it is taken;
//   \s+         after its only character.
// A run is at most three pieces, so it is walked through at most three times.
size_t space_end(std::string_view text, size_t begin, bool newlines_first) {
  size_t end = begin, last = begin, after_newline = begin;
  while (end < text.size()) {
    const Character c = character_at(text, end);
    if (c.kind != UnicodeClass::space) break;
    if (is_newline(text[end])) after_newline = c.end;
    last = end;
    end = c.end;
  }
  if (newlines_first && after_newline > begin) return after_newline;
  return end == text.size() || last == begin ? end : last;
}

size_t gpt2_end(std::string_view text, size_t begin) {
  if (const size_t end = contraction_end(text, begin, false); end > begin) return end;
  Character c = character_at(text, begin);
  if (text[begin] == ' ' && c.end < text.size()) {
    const Character next = character_at(text, c.end);
    if (next.kind != UnicodeClass::space) c = next;
  }
  if (c.kind == UnicodeClass::space) return space_end(text, begin, false);
  return run_end(text, c.end, c.kind);
}

size_t gpt4_end(std::string_view text, size_t begin, int most_digits) {
  if (const size_t end = contraction_end(text, begin, true); end > begin) return end;
  Character c = character_at(text, begin);
  if (c.kind == UnicodeClass::letter) return run_end(text, c.end, c.kind);
  if (c.kind == UnicodeClass::number) {
    for (int digits = 1; digits < most_digits && c.end < text.size(); ++digits) {
      const Character next = character_at(text, c.end);
      if (next.kind != UnicodeClass::number) break;
      c = next;
    }
    return c.end;
  }
  if (!is_newline(text[begin]) && c.end < text.size()) {
    const Character next = character_at(text, c.end);
    if (next.kind == UnicodeClass::letter) return run_end(text, next.end, next.kind);
    if (text[begin] == ' ' && next.kind == UnicodeClass::other) c = next;
  }
  if (c.kind == UnicodeClass::space) return space_end(text, begin, true);
  return newlines_end(text, run_end(text, c.end, c.kind));
}

// Only white space can tell that a number follows: the whole run ends its part there.
size_t smollm_end(std::string_view text, size_t begin) {
  const Character c = character_at(text, begin);
  if (c.kind == UnicodeClass::number) return c.end;
  if (c.kind == UnicodeClass::space) {
    const size_t end = run_end(text, begin, UnicodeClass::space);
    if (end < text.size() && character_at(text, end).kind == UnicodeClass::number) return end;
  }
  return gpt2_end(text, begin);
}

size_t words_end(std::string_view text, size_t begin) {
  const Character c = character_at(text, begin);
  return c.kind == UnicodeClass::other ? c.end : run_end(text, c.end, c.kind);
}

// \s*[\r\n]+ is an alternative.
bool cuts_after_newlines(Regex regex) {
  return regex == Regex::gpt4 || regex == Regex::llama3 || regex == Regex::qwen2;
}

}  // namespace

const std::vector<std::string>& regex_names() {
  static const std::vector<std::string> names = {"gpt2", "gpt4", "llama3", "smollm", "qwen2"};
  return names;
}

Regex regex(const std::string& name) {
  const auto found = std::ranges::find(regex_names(), name);
  if (found != regex_names().end()) return static_cast<Regex>(found - regex_names().begin());
  throw Error("unknown pretokenizer regex", {.expected = one_of(regex_names()),
                                             .got = quote(name),
                                             .hint = did_you_mean(name, regex_names())});
}

size_t piece_end(Regex regex, std::string_view text, size_t begin) {
  // A character more than the longest piece tells whether the piece would go on.
  text = text.substr(0, begin + std::min(text.size() - begin, kLongestPiece + 4));
  const size_t end = regex == Regex::gpt2     ? gpt2_end(text, begin)
                     : regex == Regex::smollm ? smollm_end(text, begin)
                     : regex == Regex::words  ? words_end(text, begin)
                                             : gpt4_end(text, begin, regex == Regex::qwen2 ? 1 : 3);
  return std::min(end, character_start(text, begin + kLongestPiece));
}

bool is_space(std::string_view text, size_t at) {
  return character_at(text, at).kind == UnicodeClass::space;
}

// In all regexes a character that is not white space and does not take the white space after it
// into its own piece ends a piece there; in GPT-4's, so does the newline before a character that is
// not white space. What came before and what follows make no difference.
size_t next_cut(Regex regex, std::string_view text, size_t from, size_t limit) {
  limit = std::min(limit, text.size());
  for (size_t at = std::max<size_t>(from, 1); at < limit; ++at) {
    if (is_ascii_space(text[at - 1])) {
      if (cuts_after_newlines(regex) && is_newline(text[at - 1]) && !is_space(text, at)) return at;
    } else if (is_ascii_space(text[at])) {
      const size_t begin = character_start(text, at - 1);
      if (piece_end(regex, text.substr(begin, at + 1 - begin), 0) == at - begin) return at;
    }
  }
  return limit;
}

// White space at the end of a text is one piece, so it must not end a side that in the whole text
// goes on with something else.
size_t find_cut(Regex regex, std::string_view text, size_t from) {
  const size_t limit = std::min(text.size(), from + kCutSearch);
  const size_t cut = next_cut(regex, text, from, limit);
  if (cut < limit || cut == text.size()) return cut;
  for (size_t begin = 0, end; begin < text.size(); begin = end) {
    end = piece_end(regex, text, begin);
    if (end < from || end == text.size()) continue;
    if (run_end(text, begin, UnicodeClass::space) < end ||
        character_at(text, end).kind == UnicodeClass::space) {
      return end;
    }
  }
  return text.size();
}

}  // namespace cria
