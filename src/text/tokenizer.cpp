#include "cria/text/tokenizer.h"

#include <algorithm>

#include <array>
#include <cstdio>

#include "cria/base/error.h"
#include "cria/base/unicode.h"

namespace cria {
namespace {

bool is_ascii(char byte) {
  return static_cast<unsigned char>(byte) < 0x80;
}

std::string at_byte(const std::string& where, uint64_t byte) {
  return where + " at byte " + std::to_string(byte);
}

std::string code_point_name(uint32_t code_point) {
  std::array<char, 12> name;
  std::snprintf(name.data(), name.size(), "U+%04X", static_cast<unsigned>(code_point));
  return name.data();
}

// The character at byte `at` of text, which begins at byte `offset` of where.
Decoded decode_or_throw(std::string_view text, size_t at, const std::string& where,
                        uint64_t offset) {
  const Decoded character = decode_utf8(text, at);
  if (character.length == 0) {
    throw Error("invalid UTF-8", {.where = at_byte(where, offset + at),
                                  .expected = "text in UTF-8",
                                  .got = quote_at(text, at),
                                  .hint = "--tokenizer bytes takes any bytes"});
  }
  return character;
}

class ByteTokenizer : public Tokenizer {
 public:
  ByteTokenizer() {
    for (int byte = 0; byte < 256; ++byte) bytes_[byte] = static_cast<char>(byte);
  }

  std::string kind() const override { return "bytes"; }
  int64_t vocab_size() const override { return 256; }
  std::string_view token(int32_t id) const override { return {&bytes_[id], 1}; }

  void encode(std::string_view text, std::vector<int32_t>& out, const std::string&,
              uint64_t) const override {
    const auto* const bytes = reinterpret_cast<const unsigned char*>(text.data());
    out.insert(out.end(), bytes, bytes + text.size());
  }

 private:
  std::array<char, 256> bytes_;
};

class CharTokenizer : public Tokenizer {
 public:
  explicit CharTokenizer(const std::vector<uint32_t>& characters) {
    if (characters.empty()) throw Error("a vocabulary needs at least one character");
    ids_.assign(characters.back() + size_t{1}, kNone);
    for (const uint32_t character : characters) {
      ids_[character] = static_cast<int32_t>(tokens_.size());
      append_utf8(tokens_.emplace_back(), character);
    }
  }

  std::string kind() const override { return "chars"; }
  int64_t vocab_size() const override { return static_cast<int64_t>(tokens_.size()); }
  std::string_view token(int32_t id) const override { return tokens_[id]; }

  void encode(std::string_view text, std::vector<int32_t>& out, const std::string& where,
              uint64_t offset) const override {
    for (size_t at = 0; at < text.size();) {
      const Decoded character = is_ascii(text[at]) ? Decoded{static_cast<uint32_t>(text[at]), 1}
                                                   : decode_or_throw(text, at, where, offset);
      const uint32_t code = character.code_point;
      const int32_t id = code < ids_.size() ? ids_[code] : kNone;
      if (id == kNone) {
        throw Error(
            "character " + quote_at(text, at) + " (" + code_point_name(code) +
                ") is not in the vocabulary",
            {.where = at_byte(where, offset + at),
             .expected = "one of the tokenizer's " + std::to_string(tokens_.size()) + " characters",
             .got = quote_at(text, at),
             .hint = "make the tokenizer from text that has this character, or use "
                     "--tokenizer bytes"});
      }
      out.push_back(id);
      at += static_cast<size_t>(character.length);
    }
  }

 private:
  static constexpr int32_t kNone = -1;

  std::vector<std::string> tokens_;  // UTF-8, by id
  std::vector<int32_t> ids_;         // by code point, up to the vocabulary's last
};

}  // namespace

size_t Tokenizer::find_cut(std::string_view text, size_t from) const {
  // Continuation bytes 10xxxxxx belong to what comes before them.
  size_t at = std::min(from, text.size());
  for (int back = 0; back < 3 && at < text.size() && (text[at] & 0xC0) == 0x80; ++back) ++at;
  return at;
}

std::string Tokenizer::decode(const std::vector<int32_t>& ids) const {
  std::string text;
  for (const int32_t id : ids) {
    if (id < 0 || id >= vocab_size()) {
      throw Error(
          "token id outside the vocabulary",
          {.expected = "0 to " + std::to_string(vocab_size() - 1), .got = std::to_string(id)});
    }
    text += token(id);
  }
  return text;
}

std::unique_ptr<Tokenizer> make_byte_tokenizer() {
  return std::make_unique<ByteTokenizer>();
}

std::unique_ptr<Tokenizer> make_char_tokenizer(const std::vector<uint32_t>& characters) {
  return std::make_unique<CharTokenizer>(characters);
}

void CharacterSet::add(std::string_view text, const std::string& where, uint64_t offset) {
  for (size_t at = 0; at < text.size();) {
    if (is_ascii(text[at])) {
      seen_[static_cast<size_t>(text[at++])] = true;
    } else {
      const Decoded character = decode_or_throw(text, at, where, offset);
      seen_[character.code_point] = true;
      at += static_cast<size_t>(character.length);
    }
  }
}

std::vector<uint32_t> CharacterSet::sorted() const {
  std::vector<uint32_t> characters;
  for (uint32_t code_point = 0; code_point < seen_.size(); ++code_point) {
    if (seen_[code_point]) characters.push_back(code_point);
  }
  return characters;
}

}  // namespace cria
