#include "tokenizer_files/byte_characters.h"

#include "base/unicode.h"

namespace cria {
namespace {

bool stands_for_itself(uint32_t byte) {
  return (byte > 32 && byte < 127) || (byte > 160 && byte < 256 && byte != 173);
}

constexpr uint32_t kFirst = 0x100, kLast = 0x143;  // the 68 others

// The byte for each code point, from kFirst on.
std::array<char, kLast - kFirst + 1> other_bytes() {
  std::array<char, kLast - kFirst + 1> bytes{};
  size_t next = 0;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    if (!stands_for_itself(byte)) bytes[next++] = static_cast<char>(byte);
  }
  return bytes;
}

}  // namespace

const std::array<std::string, 256>& byte_characters() {
  static const std::array<std::string, 256> all = [] {
    std::array<std::string, 256> characters;
    uint32_t next = kFirst;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      append_utf8(characters[byte], stands_for_itself(byte) ? byte : next++);
    }
    return characters;
  }();
  return all;
}

std::string to_byte_characters(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += byte_characters()[static_cast<unsigned char>(byte)];
  return text;
}

std::optional<std::string> from_byte_characters(std::string_view text) {
  static const auto others = other_bytes();
  std::string bytes;
  for (size_t at = 0; at < text.size();) {
    const auto [code, length] = decode_utf8(text, at);
    if (length == 0) return std::nullopt;
    if (stands_for_itself(code)) {
      bytes += static_cast<char>(code);
    } else if (code >= kFirst && code <= kLast) {
      bytes += others[code - kFirst];
    } else {
      return std::nullopt;
    }
    at += static_cast<size_t>(length);
  }
  return bytes;
}

}  // namespace cria
