// Bytes of files, as the formats' documents print them.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace cria {

// "4b 03 | 04": two digits a byte; spaces, bars and line breaks mean nothing.
inline std::string from_hex(std::string_view text) {
  std::string bytes;
  int digits = 0, value = 0;
  for (const char c : text) {
    if (c == ' ' || c == '|' || c == '\n') continue;
    value = value * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
    if (++digits % 2 == 0) {
      bytes += static_cast<char>(value);
      value = 0;
    }
  }
  return bytes;
}

template <class Element>
std::string raw(std::initializer_list<Element> values) {
  return {reinterpret_cast<const char*>(std::data(values)), values.size() * sizeof(Element)};
}

inline std::string little_endian(uint64_t value, size_t bytes = 8) {
  std::string text;
  for (size_t i = 0; i < bytes; ++i) text += static_cast<char>(value >> 8 * i);
  return text;
}

// bytes with those from offset on overwritten.
inline std::string patched(std::string bytes, size_t offset, std::string_view by) {
  return bytes.replace(offset, by.size(), by);
}

}  // namespace cria
