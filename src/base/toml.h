// A strict subset of TOML 1.0: every accepted text is valid TOML with the same meaning.
//
// In the subset: [tables], bare, quoted and dotted keys, "basic" and 'literal' strings, decimal
// integers and floats, booleans, arrays, comments. Not in it, and rejected with what to write
// instead: inline tables, arrays of tables, dates and times, multi-line strings, inf and nan,
// numbers in hexadecimal, octal or binary, dots inside a quoted key.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace cria {

struct TomlValue {
  std::variant<bool, int64_t, double, std::string, std::vector<TomlValue>> value;

  const char* kind_name() const;  // "boolean", "integer", "float", "string" or "array"
  bool operator==(const TomlValue& other) const { return value == other.value; }
};

struct TomlEntry {
  std::string key;  // from the root, dotted: "model.hidden_size"
  TomlValue value;
  int line, column;  // of the key
};

// The file's key = value pairs, in its order; a table without any leaves no trace there, but all
// headers are added to `tables`, if given, as keys of the value true. Throws Error with
// where:line:column for invalid UTF-8 or syntax, what is not in the subset, numbers beyond int64 or
// double, and for a key or table defined twice, which names the line of the first.
std::vector<TomlEntry> parse_toml(std::string_view text, const std::string& where,
                                  std::vector<TomlEntry>* tables = nullptr);

// One value, as the right side of a key=value override; errors as above.
TomlValue parse_toml_value(std::string_view text, const std::string& where);

// TOML text that parses back to the same value. Throws Error for what the subset cannot say: a
// non-finite double, a string that is not UTF-8.
std::string dump_toml(const TomlValue& value);

}  // namespace cria
