// JSON (RFC 8259, UTF-8): config.json, tokenizer.json, safetensors headers, metrics lines.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace cria {

// One JSON value. Integers that fit int64 stay exact, every other number is a double; an object
// keeps the file's order.
class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;

  Json() = default;  // null
  Json(std::nullptr_t) {}
  // A template, so that no pointer turns into true.
  template <std::same_as<bool> Bool>
  Json(Bool value) : value_(value) {}
  template <std::integral Int>
  requires(!std::same_as<Int, bool> && !std::same_as<Int, char>) Json(Int value)
      : value_(checked(std::in_range<int64_t>(value), static_cast<int64_t>(value))) {}
  Json(double value) : value_(value) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  Json(Object value) : value_(std::move(value)) {}

  // Assigned, since libstdc++ 12 destroys what was never made when memory runs out while it
  // constructs a copy of a variant.
  Json(const Json& other) { value_ = other.value_; }
  Json(Json&&) noexcept = default;
  Json& operator=(const Json&) = default;
  Json& operator=(Json&&) noexcept = default;

  // The whole of text is one value. Errors, as where:line:column: anything RFC 8259 forbids, and
  // also a repeated key, a lone surrogate, a number beyond double, a byte order mark, deeper
  // nesting.
  static Json parse(std::string_view text, const std::string& where, int max_depth = 64);

  // The same for a line of a file, numbered from 1: an object, of whose members only `key` is kept
  // (none when it is missing), so that no more memory is needed than for its value.
  static Json parse_member(std::string_view text, std::string_view key, const std::string& where,
                           int64_t line);

  bool is_null() const { return std::holds_alternative<std::nullptr_t>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_int() const { return std::holds_alternative<int64_t>(value_); }
  bool is_number() const { return is_int() || std::holds_alternative<double>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }
  const char* kind_name() const;  // "integer", "object", ...

  // The value at key; nullptr when it is missing or this is no object. Linear in the object's size:
  // walk as_object() to read a vocabulary.
  const Json* find(std::string_view key) const;

  // The value at key of the file `path`; Error naming both when it is missing. count_at: a number
  // from 0.
  const Json& at(const std::string& key, const std::string& path) const;
  int64_t count_at(const std::string& key, const std::string& path) const;

  // The value of that kind, or an Error that names `what` (file and key) and both kinds. as_double
  // takes integers too; as_int takes no 1.0.
  bool as_bool(const std::string& what) const;
  int64_t as_int(const std::string& what) const;
  double as_double(const std::string& what) const;
  const std::string& as_string(const std::string& what) const;
  const Array& as_array(const std::string& what) const;
  const Object& as_object(const std::string& what) const;

  // Replaces the value at key or appends it. null becomes an object; other kinds are an Error.
  void set(std::string key, Json value);

  // JSON text that parses back to this value. indent 0: one line without spaces; else that many
  // spaces a level. NaN and infinities become null, which is all JSON has for them; a string that
  // is not UTF-8 is an Error.
  std::string dump(int indent = 0) const;

  bool operator==(const Json& other) const;

 private:
  static int64_t checked(bool fits, int64_t value);
  template <class T>
  const T& as(const std::string& what, const char* expected) const;

  std::variant<std::nullptr_t, bool, int64_t, double, std::string, Array, Object> value_;
};

// All of a file; its path is the `where` of errors.
Json read_json(const std::string& path);

}  // namespace cria
