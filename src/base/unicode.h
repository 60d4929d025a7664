// UTF-8: decoding, checking, repairing a stream, and showing text and places in error messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cria {

struct Decoded {
  uint32_t code_point;
  int length;  // bytes, 1 to 4; 0: no valid sequence starts here, code_point means nothing
};

// The code point at byte `offset`, by table 3-7 of the Unicode standard: overlong forms, surrogates
// and values above U+10FFFF are invalid, as is an offset at or past the end.
Decoded decode_utf8(std::string_view text, size_t offset);

// Appends code_point, which must be a scalar value: at most U+10FFFF and no surrogate.
void append_utf8(std::string& out, uint32_t code_point);

// Byte offset of the first invalid or incomplete sequence, if there is one.
std::optional<size_t> first_invalid_utf8(std::string_view text);

// Turns bytes that arrive in arbitrary pieces into valid UTF-8. A sequence cut off by the end of a
// piece waits for the next one; each maximal subpart of an ill-formed sequence becomes one U+FFFD
// (the Unicode standard, section 3.9, "U+FFFD Substitution of Maximal Subparts").
class Utf8Stream {
 public:
  std::string push(std::string_view bytes);
  std::string finish();  // what still waits, as U+FFFD; the stream is then as new

 private:
  std::string pending_;  // at most 3 bytes
};

// text, with each maximal subpart of an ill-formed sequence as U+FFFD.
std::string valid_utf8(std::string_view text);

// What a terminal would not show as a character of its own, invalid bytes, controls and what turns
// the direction of writing, escaped, as are the (ASCII) characters of `also`; those of `keep` are
// not.
std::string escape(std::string_view text, std::string_view also = "\\", std::string_view keep = "");

// text in single quotes, escaped as above, quotes and backslashes too.
std::string quote(std::string_view text);

// A name as names are compared: small letters, '_' for '-', no dashes before it.
std::string folded(std::string_view name);

// The parts with `between` between each two.
std::string joined(const std::vector<std::string>& parts, std::string_view between);

// text as one word of a shell's command line, in quotes where it needs them.
std::string shell_word(const std::string& text);

// Whether a byte does not go on with a character that began before it.
bool starts_character(char byte);

// The bytes that start one: the code points, in valid UTF-8.
size_t count_characters(std::string_view text);

// The character at byte `offset`, quoted, or "end of text": what a parser found instead.
std::string quote_at(std::string_view text, size_t offset);

struct LineColumn {
  int line;    // from 1
  int column;  // from 1, in code points
};

LineColumn locate(std::string_view text, size_t offset);

}  // namespace cria
