#include "cria/base/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/number.h"
#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/base/file.h"

namespace cria {
namespace {

// Recursive descent over text that is known to be UTF-8.
class JsonParser {
 public:
  JsonParser(std::string_view text, const std::string& where, int max_depth)
      : text_(text), where_(where), depth_left_(max_depth) {}

  // Keeps this member of the whole object, and nothing else of it; the text's line is `line`.
  void keep_only(std::string_view key, int64_t line) {
    only_ = key;
    first_line_ = line;
    keep_ = false;
  }

  Json document() {
    if (text_.starts_with("\xEF\xBB\xBF")) {
      fail(0, "JSON starts with a byte order mark", {.hint = "save it as UTF-8 without one"});
    }
    if (const auto invalid = first_invalid_utf8(text_)) {
      fail(*invalid, "invalid UTF-8", {.got = quote_at(text_, *invalid)});
    }
    skip_space();
    Json result = value();
    skip_space();
    if (offset_ < text_.size()) fail_here("text after the JSON value", "end of text");
    return result;
  }

 private:
  [[noreturn]] void fail(size_t offset, const std::string& summary, ErrorContext context = {}) {
    context.where = where_ + ":" + place(offset);
    throw Error(summary, context);
  }

  [[noreturn]] void fail_here(const std::string& summary, const std::string& expected) {
    fail(offset_, summary,
         {.expected = expected,
          .got = quote_at(text_, offset_),
          .hint = offset_ < text_.size() ? "" : "is the file cut off?"});
  }

  std::string place(size_t offset) const {
    const LineColumn at = locate(text_, offset);
    return std::to_string(at.line + first_line_ - 1) + ":" + std::to_string(at.column);
  }

  // The byte at the cursor; '\0', which is nowhere valid, at the end.
  char peek() const { return offset_ < text_.size() ? text_[offset_] : '\0'; }

  bool take(char wanted) {
    if (offset_ >= text_.size() || text_[offset_] != wanted) return false;
    ++offset_;
    return true;
  }

  bool take_word(std::string_view word) {
    if (!text_.substr(offset_).starts_with(word)) return false;
    offset_ += word.size();
    return true;
  }

  void skip_space() {
    while (offset_ < text_.size()) {
      const char c = text_[offset_];
      if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return;
      ++offset_;
    }
  }

  Json value() {
    const char c = peek();
    if (c == '"') return string();
    if (c == '[') return array();
    if (c == '{') return object();
    if (c == '-' || is_digit(c)) return number();
    if (take_word("true")) return true;
    if (take_word("false")) return false;
    if (take_word("null")) return nullptr;
    fail_here("invalid JSON value", "object, array, string, number, true, false or null");
  }

  void enter(const char* kind) {
    if (depth_left_ == 0) fail(offset_, std::string("JSON nested too deeply at this ") + kind);
    --depth_left_;
    ++offset_;
    skip_space();
  }

  Json array() {
    enter("array");
    at_top_ = false;
    Json::Array items;
    if (!take(']')) {
      do {
        skip_space();
        Json item = value();
        if (keep_) items.push_back(std::move(item));
        skip_space();
      } while (take(','));
      if (!take(']')) fail_here("unfinished JSON array", "',' or ']'");
    }
    ++depth_left_;
    return Json(std::move(items));
  }

  Json object() {
    enter("object");
    Json::Object members;
    std::vector<size_t> places;  // of each member's key
    const bool is_whole = std::exchange(at_top_, false);
    if (!take('}')) {
      do {
        skip_space();
        const size_t place = offset_;
        if (peek() != '"') fail_here("invalid JSON object", "a key in double quotes");
        std::string key = string();
        skip_space();
        if (!take(':')) fail_here("invalid JSON object", "':' after the key");
        skip_space();
        const bool kept = std::exchange(keep_, keep_ || (is_whole && key == only_));
        Json member = value();
        if (keep_) {
          places.push_back(place);
          members.emplace_back(std::move(key), std::move(member));
        }
        keep_ = kept;
        skip_space();
      } while (take(','));
      if (!take('}')) fail_here("unfinished JSON object", "',' or '}'");
    }
    check_unique(members, places);
    ++depth_left_;
    return Json(std::move(members));
  }

  // Keys are sorted, since a vocabulary's 50,000 are too many to compare pair by pair.
  void check_unique(const Json::Object& members, const std::vector<size_t>& places) {
    std::vector<std::pair<std::string_view, size_t>> keys;
    keys.reserve(members.size());
    for (size_t i = 0; i < members.size(); ++i) keys.emplace_back(members[i].first, places[i]);
    std::sort(keys.begin(), keys.end());
    const auto repeated = std::adjacent_find(
        keys.begin(), keys.end(), [](const auto& a, const auto& b) { return a.first == b.first; });
    if (repeated == keys.end()) return;
    fail(repeated[1].second, "repeated JSON key " + quote(repeated->first),
         {.hint = "it is first at " + place(repeated->second)});
  }

  std::string string() {
    const size_t begin = offset_++;
    std::string out;
    for (;;) {
      const size_t run = offset_;
      while (offset_ < text_.size() && text_[offset_] != '"' && text_[offset_] != '\\' &&
             static_cast<unsigned char>(text_[offset_]) >= 0x20) {
        ++offset_;
      }
      out.append(text_, run, offset_ - run);
      if (offset_ == text_.size()) fail(begin, "JSON string without a closing '\"'");
      if (take('"')) return out;
      if (!take('\\')) fail_here("control character in a JSON string", "an escape such as \\n");
      escape(out);
    }
  }

  void escape(std::string& out) {
    constexpr std::string_view kLetters = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
    const size_t begin = offset_ - 1;
    if (take('u')) {
      append_utf8(out, escaped_code_point(begin));
      return;
    }
    const size_t letter = offset_ < text_.size() ? kLetters.find(text_[offset_]) : kLetters.npos;
    if (letter == kLetters.npos) {
      fail(begin, "unknown escape in a JSON string",
           {.expected = "one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX",
            .got = "\\ and then " + quote_at(text_, offset_)});
    }
    out += kMeanings[letter];
    ++offset_;
  }

  uint32_t escaped_code_point(size_t begin) {
    const uint32_t first = four_hex_digits();
    if (first < 0xD800 || first > 0xDFFF) return first;
    if (first < 0xDC00 && take_word("\\u")) {
      const uint32_t second = four_hex_digits();
      if (second >= 0xDC00 && second <= 0xDFFF) {
        return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
      }
    }
    fail(begin, "half of a surrogate pair in a JSON string",
         {.expected = "a high and then a low one, as in \\ud83d\\ude00"});
  }

  uint32_t four_hex_digits() {
    uint32_t code = 0;
    const char* const begin = text_.data() + offset_;
    const char* const end = begin + std::min<size_t>(4, text_.size() - offset_);
    const auto [stop, problem] = std::from_chars(begin, end, code, 16);
    if (stop != begin + 4) {
      offset_ += static_cast<size_t>(stop - begin);
      fail_here("invalid \\u escape in a JSON string", "four hexadecimal digits");
    }
    offset_ += 4;
    return code;
  }

  Json number() {
    const size_t begin = offset_;
    take('-');
    if (take('0')) {
      if (is_digit(peek())) fail(begin, "JSON number with a leading zero");
    } else {
      digits();
    }
    const bool whole = peek() != '.' && peek() != 'e' && peek() != 'E';
    if (take('.')) digits();
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      digits();
    }
    const std::string_view number = text_.substr(begin, offset_ - begin);
    if (int64_t exact; whole && parse_number(number, exact)) return exact;
    double rounded;
    if (!parse_number(number, rounded)) fail(begin, "JSON number beyond the range of double");
    return rounded;
  }

  void digits() {
    if (!is_digit(peek())) fail_here("invalid JSON number", "a digit");
    while (is_digit(peek())) ++offset_;
  }

  std::string_view text_;
  const std::string& where_;
  int depth_left_;
  size_t offset_ = 0;
  bool keep_ = true;    // what is parsed now
  bool at_top_ = true;  // nothing but the whole value
  std::string_view only_;
  int64_t first_line_ = 1;
};

// DEL needs no escape in JSON; with one, the text is a TOML string too.
void dump_string(std::string& out, const std::string& text) {
  constexpr char kHex[] = "0123456789abcdef";
  constexpr std::string_view kEscaped = "\"\\\n\r\t";
  if (first_invalid_utf8(text)) {
    throw Error("cannot write a string that is not UTF-8", {.got = quote(text)});
  }
  out += '"';
  for (const char c : text) {
    const size_t letter = kEscaped.find(c);
    if (letter != kEscaped.npos) {
      out += '\\';
      out += "\"\\nrt"[letter];
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

// Both containers: items between brackets, one a line when indented, none when empty.
template <class Items, class DumpItem>
void dump_items(std::string& out, const Items& items, const char* brackets, int indent, int level,
                DumpItem dump_item) {
  const auto new_line = [&](int depth) {
    if (indent == 0) return;
    out += '\n';
    out.append(static_cast<size_t>(indent) * depth, ' ');
  };
  out += brackets[0];
  bool first = true;
  for (const auto& item : items) {
    if (!first) out += ',';
    first = false;
    new_line(level + 1);
    dump_item(item);
  }
  if (!first) new_line(level);
  out += brackets[1];
}

void dump_value(std::string& out, const Json& json, int indent, int level) {
  const std::string what = "JSON value";
  if (json.is_null()) {
    out += "null";
  } else if (json.is_bool()) {
    out += json.as_bool(what) ? "true" : "false";
  } else if (json.is_int()) {
    out += std::to_string(json.as_int(what));
  } else if (json.is_number()) {
    const double value = json.as_double(what);
    out += std::isfinite(value) ? shortest_double(value) : "null";
  } else if (json.is_string()) {
    dump_string(out, json.as_string(what));
  } else if (json.is_array()) {
    dump_items(out, json.as_array(what), "[]", indent, level,
               [&](const Json& item) { dump_value(out, item, indent, level + 1); });
  } else {
    dump_items(out, json.as_object(what), "{}", indent, level, [&](const auto& member) {
      dump_string(out, member.first);
      out += indent == 0 ? ":" : ": ";
      dump_value(out, member.second, indent, level + 1);
    });
  }
}

}  // namespace

Json Json::parse(std::string_view text, const std::string& where, int max_depth) {
  return JsonParser(text, where, max_depth).document();
}

Json Json::parse_member(std::string_view text, std::string_view key, const std::string& where,
                        int64_t line) {
  JsonParser parser(text, where, 64);
  parser.keep_only(key, line);
  return parser.document();
}

const char* Json::kind_name() const {
  constexpr const char* kNames[] = {"null",   "boolean", "integer", "floating-point number",
                                    "string", "array",   "object"};
  return kNames[value_.index()];
}

const Json* Json::find(std::string_view key) const {
  const Object* const members = std::get_if<Object>(&value_);
  if (!members) return nullptr;
  for (const auto& [name, value] : *members) {
    if (name == key) return &value;
  }
  return nullptr;
}

template <class T>
const T& Json::as(const std::string& what, const char* expected) const {
  if (const T* const value = std::get_if<T>(&value_)) return *value;
  throw Error("wrong kind of JSON value",
              {.where = what, .expected = expected, .got = kind_name()});
}

bool Json::as_bool(const std::string& what) const {
  return as<bool>(what, "boolean");
}
int64_t Json::as_int(const std::string& what) const {
  return as<int64_t>(what, "integer");
}

double Json::as_double(const std::string& what) const {
  if (is_int()) return static_cast<double>(as_int(what));
  return as<double>(what, "number");
}

const std::string& Json::as_string(const std::string& what) const {
  return as<std::string>(what, "string");
}
const Json::Array& Json::as_array(const std::string& what) const {
  return as<Array>(what, "array");
}
const Json::Object& Json::as_object(const std::string& what) const {
  return as<Object>(what, "object");
}

const Json& Json::at(const std::string& key, const std::string& path) const {
  const Json* const value = find(key);
  if (!value) throw Error("missing", {.where = path + ": " + key});
  return *value;
}

int64_t Json::count_at(const std::string& key, const std::string& path) const {
  const std::string where = path + ": " + key;
  const int64_t count = at(key, path).as_int(where);
  if (count < 0) throw Error("negative", {.where = where, .got = std::to_string(count)});
  return count;
}

void Json::set(std::string key, Json value) {
  if (is_null()) value_ = Object{};
  as<Object>("key " + quote(key), "object");
  Object& members = std::get<Object>(value_);
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const auto& member) { return member.first == key; });
  if (found != members.end()) {
    found->second = std::move(value);
  } else {
    members.emplace_back(std::move(key), std::move(value));
  }
}

std::string Json::dump(int indent) const {
  std::string out;
  dump_value(out, *this, indent, 0);
  return out;
}

bool Json::operator==(const Json& other) const {
  return value_ == other.value_;
}

int64_t Json::checked(bool fits, int64_t value) {
  if (!fits) throw Error("integer too large for JSON", {.expected = "at most 2^63 - 1"});
  return value;
}

Json read_json(const std::string& path) {
  return Json::parse(read_file(path), path);
}

}  // namespace cria
