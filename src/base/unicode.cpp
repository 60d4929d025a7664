#include "base/unicode.h"

#include <algorithm>
#include <cstring>

namespace cria {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

enum class Form { kValid, kInvalid, kIncomplete };

// One sequence, or the maximal subpart of one that could have become valid.
struct Sequence {
  Form form;
  int length;
  uint32_t code_point;
};

// The first row of table 3-7 that fits the lead byte: only the second byte's range ever differs.
Sequence scan(std::string_view text, size_t offset) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[offset + i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {Form::kValid, 1, lead};
  if (lead < 0xC2 || lead > 0xF4) return {Form::kInvalid, 1, 0};
  const int length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  unsigned char low = 0x80, high = 0xBF;
  if (lead == 0xE0) low = 0xA0;   // shorter forms exist
  if (lead == 0xED) high = 0x9F;  // surrogates
  if (lead == 0xF0) low = 0x90;   // shorter forms exist
  if (lead == 0xF4) high = 0x8F;  // above U+10FFFF
  uint32_t code_point = lead & (0x7Fu >> length);
  for (int i = 1; i < length; ++i) {
    if (offset + i == text.size()) return {Form::kIncomplete, i, 0};
    if (byte(i) < low || byte(i) > high) return {Form::kInvalid, i, 0};
    code_point = code_point << 6 | (byte(i) & 0x3Fu);
    low = 0x80;
    high = 0xBF;
  }
  return {Form::kValid, length, code_point};
}

// How many bytes from offset on are ASCII; eight at a time, since most text is.
size_t ascii_run(std::string_view text, size_t offset) {
  const size_t begin = offset;
  for (uint64_t word; offset + sizeof word <= text.size(); offset += sizeof word) {
    std::memcpy(&word, text.data() + offset, sizeof word);
    if (word & 0x8080808080808080u) break;
  }
  while (offset < text.size() && static_cast<unsigned char>(text[offset]) < 0x80) ++offset;
  return offset - begin;
}

void append_byte_escape(std::string& out, char value) {
  constexpr char kHex[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(value);
  out += "\\x";
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

// C0, delete, C1; separators of lines; marks, embeddings, overrides and isolates of direction.
bool is_control(uint32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x061C || (c >= 0x200E && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

}  // namespace

bool starts_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
}

Decoded decode_utf8(std::string_view text, size_t offset) {
  if (offset >= text.size()) return {0, 0};
  const Sequence sequence = scan(text, offset);
  if (sequence.form != Form::kValid) return {0, 0};
  return {sequence.code_point, sequence.length};
}

void append_utf8(std::string& out, uint32_t code_point) {
  const auto continuation = [&](int shift) {
    out += static_cast<char>(0x80 | (code_point >> shift & 0x3F));
  };
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    out += static_cast<char>(0xC0 | code_point >> 6);
    continuation(0);
  } else if (code_point < 0x10000) {
    out += static_cast<char>(0xE0 | code_point >> 12);
    continuation(6);
    continuation(0);
  } else {
    out += static_cast<char>(0xF0 | code_point >> 18);
    continuation(12);
    continuation(6);
    continuation(0);
  }
}

std::optional<size_t> first_invalid_utf8(std::string_view text) {
  size_t offset = ascii_run(text, 0);
  while (offset < text.size()) {
    const Sequence sequence = scan(text, offset);
    if (sequence.form != Form::kValid) return offset;
    offset += sequence.length;
    offset += ascii_run(text, offset);
  }
  return std::nullopt;
}

std::string Utf8Stream::push(std::string_view bytes) {
  pending_ += bytes;
  std::string out;
  size_t offset = 0;
  while (offset < pending_.size()) {
    const Sequence sequence = scan(pending_, offset);
    if (sequence.form == Form::kIncomplete) break;
    if (sequence.form == Form::kValid) {
      out.append(pending_, offset, sequence.length);
    } else {
      out += kReplacement;
    }
    offset += sequence.length;
  }
  pending_.erase(0, offset);
  return out;
}

std::string Utf8Stream::finish() {
  const bool waiting = !pending_.empty();
  pending_.clear();
  return waiting ? std::string(kReplacement) : std::string();
}

std::string escape(std::string_view text, std::string_view also, std::string_view keep) {
  std::string out;
  size_t offset = 0;
  while (offset < text.size()) {
    const Sequence sequence = scan(text, offset);
    const std::string_view bytes = text.substr(offset, sequence.length);
    const uint32_t c = sequence.code_point;
    if (sequence.form == Form::kValid && keep.find(bytes) != keep.npos) {
      out += bytes;
    } else if (sequence.form == Form::kValid && c == '\n') {
      out += "\\n";
    } else if (sequence.form == Form::kValid && c == '\r') {
      out += "\\r";
    } else if (sequence.form == Form::kValid && c == '\t') {
      out += "\\t";
    } else if (sequence.form != Form::kValid || is_control(c)) {
      for (const char byte : bytes) append_byte_escape(out, byte);
    } else {
      if (also.find(bytes) != std::string_view::npos) out += '\\';
      out += bytes;
    }
    offset += bytes.size();
  }
  return out;
}

std::string quote(std::string_view text) {
  return "'" + escape(text, "'\\") + "'";
}

std::string valid_utf8(std::string_view text) {
  Utf8Stream stream;
  const std::string valid = stream.push(text);
  return valid + stream.finish();
}

std::string folded(std::string_view name) {
  std::string text(name.substr(std::min(name.find_first_not_of('-'), name.size())));
  for (char& c : text) {
    if (c == '-') c = '_';
    if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
  }
  return text;
}

std::string joined(const std::vector<std::string>& parts, std::string_view between) {
  std::string text;
  for (const std::string& part : parts) {
    if (&part != &parts.front()) text += between;
    text += part;
  }
  return text;
}

std::string shell_word(const std::string& text) {
  constexpr const char* kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:@%";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

size_t count_characters(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(text, starts_character));
}

std::string quote_at(std::string_view text, size_t offset) {
  if (offset >= text.size()) return "end of text";
  return quote(text.substr(offset, scan(text, offset).length));
}

LineColumn locate(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return {1 + static_cast<int>(std::ranges::count(before, '\n')),
          1 + static_cast<int>(count_characters(before.substr(line_start)))};
}

}  // namespace cria
