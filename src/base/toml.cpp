#include "base/toml.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <concepts>
#include <map>

#include "base/number.h"
#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/base/json.h"

namespace cria {
namespace {

constexpr int kMaxDepth = 64;  // of nested arrays: keeps hostile input off the end of the stack
// Bytes of a dotted key from the root, which every key below a table repeats.
constexpr size_t kMaxKey = 256;

bool is_bare(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
}

// What a dotted path has been defined as, and where: TOML lets nothing be defined twice.
struct Definition {
  enum Kind {
    kValue,
    kTable,     // by its own [header]
    kImplicit,  // by the header of a table inside it; its own may still come
    kDotted,    // by a dotted key; no header may open it
  } kind;
  size_t offset;
};

// Recursive descent. The whole text is checked for encoding and control characters first, so that
// the rest need not look for them.
class TomlParser {
 public:
  TomlParser(std::string_view text, const std::string& where) : text_(text), where_(where) {
    check_characters();
  }

  std::vector<TomlEntry> document(std::vector<TomlEntry>* tables) {
    tables_ = tables;
    while (skip_space_and_lines(), offset_ < text_.size()) {
      if (peek() == '[') {
        table_header();
      } else {
        pair();
      }
      skip_space();
      if (peek() == '#') skip_comment();
      if (offset_ < text_.size() && !take_line_end()) fail_here("more on this line", "a new line");
    }
    return std::move(entries_);
  }

  TomlValue single_value() {
    skip_space();
    TomlValue result = value();
    skip_space();
    if (offset_ < text_.size()) fail_here("text after the value", "end of text");
    return result;
  }

 private:
  [[noreturn]] void fail(size_t offset, const std::string& summary, ErrorContext context = {}) {
    const LineColumn at = locate(text_, offset);
    context.where = where_ + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
    throw Error(summary, context);
  }

  [[noreturn]] void fail_here(const std::string& summary, const std::string& expected) {
    fail(offset_, summary,
         {.expected = expected,
          .got = quote_at(text_, offset_),
          .hint = "TOML is made of lines: [table], key = value, # comment"});
  }

  [[noreturn]] void not_supported(size_t offset, const std::string& what, const std::string& hint) {
    fail(offset, what + " not supported", {.hint = hint});
  }

  void check_characters() {
    if (const auto invalid = first_invalid_utf8(text_)) {
      fail(*invalid, "invalid UTF-8", {.got = quote_at(text_, *invalid)});
    }
    for (size_t i = 0; i < text_.size(); ++i) {
      const auto c = static_cast<unsigned char>(text_[i]);
      if ((c >= 0x20 && c != 0x7F) || c == '\t' || c == '\n') continue;
      if (text_.substr(i).starts_with("\r\n")) continue;
      fail(i, "control character in TOML", {.got = quote_at(text_, i)});
    }
  }

  // The byte at the cursor; '\0', which check_characters excludes, at the end.
  char peek() const { return offset_ < text_.size() ? text_[offset_] : '\0'; }

  bool next_is(std::string_view wanted) const { return text_.substr(offset_).starts_with(wanted); }

  bool take(std::string_view wanted) {
    if (!next_is(wanted)) return false;
    offset_ += wanted.size();
    return true;
  }

  void skip_space() {
    while (peek() == ' ' || peek() == '\t') ++offset_;
  }

  void skip_comment() { offset_ = std::min(text_.find_first_of("\r\n", offset_), text_.size()); }

  bool take_line_end() { return take("\n") || take("\r\n"); }

  void skip_space_and_lines() {
    do {
      skip_space();
      if (peek() == '#') skip_comment();
    } while (take_line_end());
  }

  // --- keys and tables

  void table_header() {
    const size_t begin = offset_;
    if (take("[[")) {
      not_supported(begin, "arrays of tables are", "give each table a name: [variant.a]");
    }
    take("[");
    const std::vector<std::string> parts = key_parts();
    if (!take("]")) fail_here("unfinished table header", "'.' or ']'");
    table_.clear();
    for (size_t i = 0; i < parts.size(); ++i) {
      extend(table_, parts[i], i > 0, begin);
      const bool last = i + 1 == parts.size();
      const Definition wanted = {last ? Definition::kTable : Definition::kImplicit, begin};
      const auto [found, added] = definitions_.try_emplace(table_, wanted);
      Definition& earlier = found->second;
      if (added || (!last && earlier.kind != Definition::kValue)) continue;
      if (earlier.kind != Definition::kImplicit) fail_defined_twice(begin, table_, earlier);
      earlier = wanted;
    }
    if (tables_) {
      const LineColumn place = place_of(begin);
      tables_->push_back({table_, {true}, place.line, place.column});
    }
    table_ += '.';
  }

  // path, and a part of it more.
  void extend(std::string& path, const std::string& part, bool with_dot, size_t begin) {
    if (with_dot) path += '.';
    path += part;
    if (path.size() <= kMaxKey) return;
    fail(begin, "a key too long",
         {.expected = "at most " + std::to_string(kMaxKey) + " bytes, with its table's name",
          .got = quote(path.substr(0, 40)) + "..."});
  }

  // Of a byte at or after that of the last call: a line is counted once.
  LineColumn place_of(size_t offset) {
    LineColumn place = locate(text_.substr(counted_), offset - counted_);
    place.line += lines_;
    lines_ = place.line - 1;
    counted_ = text_.substr(0, offset).rfind('\n') + 1;  // npos + 1 is 0
    return place;
  }

  void pair() {
    const size_t begin = offset_;
    const LineColumn place = place_of(begin);
    const std::vector<std::string> parts = key_parts();
    if (!take("=")) fail_here("invalid key", "'.' or '=' after the key");
    std::string key = table_;
    for (size_t i = 0; i < parts.size(); ++i) {
      extend(key, parts[i], i > 0, begin);
      const bool last = i + 1 == parts.size();
      const Definition wanted = {last ? Definition::kValue : Definition::kDotted, begin};
      const auto [found, added] = definitions_.try_emplace(key, wanted);
      if (added || (!last && found->second.kind == Definition::kDotted)) continue;
      fail_defined_twice(begin, key, found->second);
    }
    skip_space();
    TomlValue result = value();
    entries_.push_back({std::move(key), std::move(result), place.line, place.column});
  }

  [[noreturn]] void fail_defined_twice(size_t offset, const std::string& path,
                                       const Definition& earlier) {
    const char* const kind = earlier.kind == Definition::kValue ? "a value" : "a table";
    fail(offset, quote(path) + " is defined twice",
         {.expected = "one definition",
          .got = std::string("another; it is ") + kind + " since line " +
                 std::to_string(locate(text_, earlier.offset).line),
          .hint = "remove one of the two"});
  }

  std::vector<std::string> key_parts() {
    std::vector<std::string> parts;
    do {
      skip_space();
      parts.push_back(key_part());
      skip_space();
    } while (take("."));
    return parts;
  }

  std::string key_part() {
    const size_t begin = offset_;
    if (peek() == '"' || peek() == '\'') {
      std::string part = string();
      if (part.find('.') != part.npos) {
        not_supported(begin, "a dot inside a quoted key is", "use another character");
      }
      return part;
    }
    while (is_bare(peek())) ++offset_;
    if (offset_ == begin) fail_here("invalid key", "letters, digits, '_', '-' or a quoted key");
    return std::string(text_.substr(begin, offset_ - begin));
  }

  // --- values

  TomlValue value() {
    const char c = peek();
    if (c == '"' || c == '\'') return {string()};
    if (c == '[') return {array()};
    if (c == '{') {
      not_supported(offset_, "inline tables are", "write a [table] or dotted keys: a.b = 1");
    }
    return scalar();
  }

  std::vector<TomlValue> array() {
    const size_t begin = offset_;
    if (++depth_ > kMaxDepth) fail(begin, "arrays nested too deeply");
    take("[");
    std::vector<TomlValue> items;
    for (;;) {
      skip_space_and_lines();
      if (take("]")) break;
      items.push_back(value());
      skip_space_and_lines();
      if (!take(",") && peek() != ']') fail_here("unfinished array", "',' or ']'");
    }
    --depth_;
    return items;
  }

  std::string string() {
    const size_t begin = offset_;
    if (next_is("\"\"\"") || next_is("'''")) {
      not_supported(begin, "multi-line strings are",
                    "write one line: \"...\", with \\n for a break");
    }
    const char mark = text_[offset_++];
    std::string out;
    while (peek() != mark) {
      if (offset_ == text_.size() || next_is("\n") || next_is("\r")) {
        fail(begin, std::string("string without a closing ") + mark);
      }
      if (mark == '"' && peek() == '\\') {
        escape(out);
      } else {
        out += text_[offset_++];
      }
    }
    ++offset_;
    return out;
  }

  void escape(std::string& out) {
    constexpr std::string_view kLetters = "btnfr\"\\", kMeanings = "\b\t\n\f\r\"\\";
    const size_t begin = offset_++;
    const char c = peek();
    if (take("u") || take("U")) {
      append_utf8(out, escaped_code_point(begin, c == 'u' ? 4 : 8));
      return;
    }
    const size_t letter = kLetters.find(c);
    if (letter == kLetters.npos) {
      fail(begin, "unknown escape in a string",
           {.expected = "one of \\b \\t \\n \\f \\r \\\" \\\\ \\uXXXX \\UXXXXXXXX",
            .got = "\\ and then " + quote_at(text_, offset_),
            .hint = "a backslash itself is \\\\; single quotes take it as it is: 'a\\b'"});
    }
    out += kMeanings[letter];
    ++offset_;
  }

  uint32_t escaped_code_point(size_t begin, size_t digits) {
    uint32_t code = 0;
    const char* const first = text_.data() + offset_;
    const char* const last = first + std::min(digits, text_.size() - offset_);
    const auto [stop, problem] = std::from_chars(first, last, code, 16);
    if (stop != first + digits) {
      offset_ += static_cast<size_t>(stop - first);
      fail_here("invalid \\u or \\U escape in a string", std::to_string(digits) + " hex digits");
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
      fail(begin, "escape of what is no character",
           {.expected = "a Unicode scalar value: at most 10FFFF, and not D800 to DFFF"});
    }
    offset_ += digits;
    return code;
  }

  // Booleans and numbers: whatever stands before the next delimiter, judged as a whole.
  TomlValue scalar() {
    const size_t begin = offset_;
    while (is_bare(peek()) || peek() == '+' || peek() == '.' || peek() == ':') ++offset_;
    const std::string_view token = text_.substr(begin, offset_ - begin);
    if (token == "true") return {true};
    if (token == "false") return {false};
    if (token.empty()) fail_here("invalid value", "a string, number, boolean or array");
    const bool sign = token[0] == '+' || token[0] == '-';
    const std::string_view unsigned_part = token.substr(sign);
    if (unsigned_part == "inf" || unsigned_part == "nan") {
      not_supported(begin, "inf and nan are", "write a finite number");
    }
    if (sign || is_digit(token[0]) || token[0] == '.') return number(begin, token, unsigned_part);
    const std::string word(
        text_.substr(begin, text_.find_first_of(" \t\r\n#,]\"'", begin) - begin));
    const std::string guess = did_you_mean(word, std::vector<std::string>{"true", "false"});
    fail(begin, "invalid value",
         {.expected = "a string, number, boolean or array",
          .got = quote(word),
          .hint = guess.empty() ? "a string stands in quotes: \"" + word + "\"" : guess});
  }

  TomlValue number(size_t begin, std::string_view token, std::string_view unsigned_part) {
    reject_other_numbers(begin, unsigned_part);
    const auto invalid = [&](const std::string& expected) {
      fail(begin, "invalid number " + quote(token), {.expected = expected});
    };
    std::string_view rest = unsigned_part;
    const auto take_digits = [&] {
      const auto fits = [&](size_t i) {
        return is_digit(rest[i]) || (rest[i] == '_' && i > 0 && is_digit(rest[i - 1]));
      };
      size_t length = 0;
      while (length < rest.size() && fits(length)) ++length;
      if (length == 0 || rest[length - 1] == '_') invalid("digits, or digits with '_' between");
      rest.remove_prefix(length);
      return length;
    };
    const size_t whole_digits = take_digits();
    if (whole_digits > 1 && unsigned_part[0] == '0') invalid("no leading zero");
    const bool is_integer = rest.empty();
    if (rest.starts_with('.')) {
      rest.remove_prefix(1);
      take_digits();
    }
    if (rest.starts_with('e') || rest.starts_with('E')) {
      rest.remove_prefix(1);
      if (rest.starts_with('+') || rest.starts_with('-')) rest.remove_prefix(1);
      take_digits();
    }
    if (!rest.empty()) invalid("an integer such as 1_000 or a float such as 1.5e-3");

    std::string plain(token.substr(token[0] == '+'));
    std::erase(plain, '_');
    if (int64_t integer; is_integer && parse_number(plain, integer)) return {integer};
    if (double real; !is_integer && parse_number(plain, real)) return {real};
    fail(begin, is_integer ? "integer beyond 64 bits" : "float beyond the range of double",
         {.got = plain});
  }

  // TOML that starts like a number and is outside the subset.
  void reject_other_numbers(size_t begin, std::string_view token) {
    if (token.starts_with("0x") || token.starts_with("0o") || token.starts_with("0b")) {
      not_supported(begin, "hexadecimal, octal and binary numbers are", "write it in decimal");
    }
    const size_t digits = std::min(token.find_first_not_of("0123456789"), token.size());
    if ((digits == 4 && token.substr(4).starts_with('-')) ||
        (digits == 2 && token.substr(2).starts_with(':'))) {
      not_supported(begin, "dates and times are", "write a string: \"" + std::string(token) + "\"");
    }
  }

  std::string_view text_;
  const std::string& where_;
  size_t offset_ = 0;
  int depth_ = 0;
  int lines_ = 0;       // before `counted_`,
  size_t counted_ = 0;  // where one begins
  std::string table_;   // the open table and a dot, or nothing at the root
  std::map<std::string, Definition> definitions_;
  std::vector<TomlEntry> entries_;
  std::vector<TomlEntry>* tables_ = nullptr;
};

}  // namespace

const char* TomlValue::kind_name() const {
  constexpr const char* kNames[] = {"boolean", "integer", "float", "string", "array"};
  return kNames[value.index()];
}

std::vector<TomlEntry> parse_toml(std::string_view text, const std::string& where,
                                  std::vector<TomlEntry>* tables) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte order mark
  return TomlParser(text, where).document(tables);
}

TomlValue parse_toml_value(std::string_view text, const std::string& where) {
  return TomlParser(text, where).single_value();
}

std::string dump_toml(const TomlValue& value) {
  const double* const real = std::get_if<double>(&value.value);
  if (real && !std::isfinite(*real)) throw Error("cannot write inf or nan as TOML");
  return std::visit(
      []<class T>(const T& held) {
        if constexpr (std::same_as<T, std::vector<TomlValue>>) {
          std::string out = "[";
          for (const TomlValue& item : held) {
            if (out.size() > 1) out += ", ";
            out += dump_toml(item);
          }
          return out + "]";
        } else {
          return Json(held).dump();  // the JSON text of a scalar means the same in TOML
        }
      },
      value.value);
}

}  // namespace cria
