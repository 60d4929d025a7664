// Normalization Form C (Unicode Standard Annex 15), of the characters of Unicode 9.0: those that
// Hugging Face's tokenizers normalize. Newer ones stay as they are.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace cria {

// Whether the character at byte `at` stays as it is after whatever comes before it: the two sides
// are then normalized one by one. True for bytes outside UTF-8 and for the end of text.
bool begins_normal(std::string_view text, size_t at);

// text in Normalization Form C: text itself if it is that already, else what buffer holds then.
// Bytes outside UTF-8 stay, and nothing joins them.
std::string_view nfc(std::string_view text, std::string& buffer);

}  // namespace cria
