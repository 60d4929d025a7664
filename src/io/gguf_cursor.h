// A GGUF file's metadata, value after value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "cria/base/error.h"
#include "io/bytes.h"
#include "io/gguf.h"

namespace cria {

inline constexpr uint64_t kMaxStringBytes = uint64_t{1} << 30;  // ggml's bound

// What a value takes at least: a string has a length.
template <class Element>
inline constexpr uint64_t kMinBytes = sizeof(Element);
template <>
inline constexpr uint64_t kMinBytes<bool> = 1;
template <>
inline constexpr uint64_t kMinBytes<std::string> = 8;

// Reads a file from its beginning; nothing is believed that the rest of the file cannot hold.
class GgufCursor : public ByteReader {
 public:
  using ByteReader::ByteReader;

  // A count of things that take at least min_bytes each.
  uint64_t count(uint64_t min_bytes, const char* what) {
    const std::string where = here();
    const uint64_t count = number<uint64_t>(what);
    if (count > rest() / min_bytes) {
      throw Error(std::string("impossible ") + what,
                  {.where = where,
                   .expected = "at most " + std::to_string(rest() / min_bytes) +
                               ", which is what the rest of the file can hold",
                   .got = std::to_string(count)});
    }
    return count;
  }

  // A length and as many bytes, [min_bytes, max_bytes] of them.
  std::string_view string(uint64_t min_bytes, uint64_t max_bytes, const char* what) {
    const std::string where = here();
    const uint64_t length = number<uint64_t>(what);
    if (length < min_bytes || length > max_bytes) {
      throw Error(std::string("impossible length of ") + what,
                  {.where = where,
                   .expected = std::to_string(min_bytes) + " to " + std::to_string(max_bytes),
                   .got = std::to_string(length)});
    }
    return take(length, what);
  }

  template <class Value>
  void read(Value& value) {
    value = number<Value>("a value");
  }
  void read(bool& value) {
    const std::string where = here();
    const uint8_t byte = number<uint8_t>("a value");
    if (byte > 1) {
      throw Error("not a bool",
                  {.where = where, .expected = "0 or 1", .got = std::to_string(byte)});
    }
    value = byte == 1;
  }
  void read(std::string& value) { value = string(0, kMaxStringBytes, "a string"); }
  void read(std::monostate&) { throw Error("arrays of arrays are not read", {.where = here()}); }
  template <class Element>
  void read(std::vector<Element>& values) {
    const uint64_t size = count(kMinBytes<Element>, "length of an array");
    values.reserve(size);
    for (uint64_t i = 0; i < size; ++i) {
      Element element{};
      read(element);
      values.push_back(std::move(element));
    }
  }
  void read(GgufArray& array) { read_typed(array); }

  // The type's number, then a value of that type.
  template <class Variant>
  void read_typed(Variant& variant) {
    const std::string where = here();
    const uint32_t type = number<uint32_t>("a type");
    if (type >= std::variant_size_v<Variant>) {
      throw Error("unknown type of value",
                  {.where = where, .expected = "0 to 12", .got = std::to_string(type)});
    }
    read_alternative(variant, type, std::make_index_sequence<std::variant_size_v<Variant>>());
  }

 private:
  template <class Variant, size_t... kIndex>
  void read_alternative(Variant& variant, size_t type, std::index_sequence<kIndex...>) {
    ((type == kIndex ? read(variant.template emplace<kIndex>()) : void()), ...);
  }
};

}  // namespace cria
