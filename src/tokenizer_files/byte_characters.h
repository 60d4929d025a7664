// GPT-2's printable stand-ins for bytes, in which the files of byte-level vocabularies are written.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace cria {

// The character for each byte: a printable Latin-1 character other than a space stands for itself,
// the other 68 bytes take U+0100 and on, in order.
const std::array<std::string, 256>& byte_characters();

// The stand-ins of bytes.
std::string to_byte_characters(std::string_view bytes);

// The bytes that stand-ins are for; nothing when some character is none, or text is no UTF-8.
std::optional<std::string> from_byte_characters(std::string_view text);

}  // namespace cria
