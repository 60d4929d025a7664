#include "cria/text/tokenizer.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <span>
#include <utility>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "text/plain_tokenizer.h"

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

class ByteTokenizer : public PlainTokenizer {
 public:
  explicit ByteTokenizer(std::vector<AddedToken> added) : PlainTokenizer(256, std::move(added)) {
    for (int byte = 0; byte < 256; ++byte) bytes_[byte] = static_cast<char>(byte);
  }

  std::string kind() const override { return "bytes"; }

  std::unique_ptr<Tokenizer> with_added(std::vector<AddedToken> added) const override {
    return std::make_unique<ByteTokenizer>(std::move(added));
  }

 protected:
  std::string_view own_token(int32_t id) const override { return {&bytes_[id], 1}; }

  void encode_own(std::string_view text, std::vector<int32_t>& out, const std::string&,
                  uint64_t) const override {
    const auto* const bytes = reinterpret_cast<const unsigned char*>(text.data());
    out.insert(out.end(), bytes, bytes + text.size());
  }

 private:
  std::array<char, 256> bytes_;
};

class CharTokenizer : public PlainTokenizer {
 public:
  CharTokenizer(const std::vector<uint32_t>& characters, std::vector<AddedToken> added)
      : PlainTokenizer(std::ssize(characters), std::move(added)) {
    if (characters.empty()) throw Error("a vocabulary needs at least one character");
    ids_.assign(characters.back() + size_t{1}, kNone);
    for (const uint32_t character : characters) {
      ids_[character] = static_cast<int32_t>(tokens_.size());
      append_utf8(tokens_.emplace_back(), character);
    }
  }

  std::string kind() const override { return "chars"; }

  std::unique_ptr<Tokenizer> with_added(std::vector<AddedToken> added) const override {
    std::vector<uint32_t> characters;
    for (const std::string& token : tokens_) {
      characters.push_back(decode_utf8(token, 0).code_point);
    }
    return std::make_unique<CharTokenizer>(characters, std::move(added));
  }

 protected:
  std::string_view own_token(int32_t id) const override { return tokens_[id]; }

  void encode_own(std::string_view text, std::vector<int32_t>& out, const std::string& where,
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
  size_t at = std::min(from, text.size());
  for (int back = 0; back < 3 && at < text.size() && !starts_character(text[at]); ++back) ++at;
  return at;
}

std::vector<int32_t> Tokenizer::encode_prompt(std::string_view text, const std::string& where,
                                              bool allow_special) const {
  std::vector<int32_t> ids;
  encode(text, ids, where, 0, allow_special);
  const std::vector<int32_t>& before = ends_.before;
  const bool there = ids.size() >= before.size() &&
                     std::ranges::equal(before, std::span(ids).first(before.size()));
  if (!there) ids.insert(ids.begin(), before.begin(), before.end());
  return ids;
}

void Tokenizer::encode_after_cut(std::string_view text, std::vector<int32_t>& out,
                                 const std::string& where, uint64_t offset) const {
  encode(text, out, where, offset);
}

void Tokenizer::require_token(int64_t id) const {
  if (id >= 0 && id < vocab_size()) return;
  throw Error("token id outside the vocabulary",
              {.expected = "0 to " + std::to_string(vocab_size() - 1), .got = std::to_string(id)});
}

std::string Tokenizer::decode(const std::vector<int32_t>& ids) const {
  std::string text;
  for (const int32_t id : ids) {
    require_token(id);
    text += token(id);
  }
  if (adds_space() && text.starts_with(' ')) text.erase(0, 1);
  return text;
}

std::string_view Tokenizer::shown(int32_t id, bool& begins) const {
  if (id == special_tokens_.bos || id == special_tokens_.eos) return "";
  std::string_view text = token(id);
  if (std::exchange(begins, false) && adds_space() && text.starts_with(' ')) text.remove_prefix(1);
  return text;
}

const std::vector<AddedToken>& Tokenizer::added_tokens() const {
  static const std::vector<AddedToken> none;
  return none;
}

void Tokenizer::set_special_tokens(const SpecialTokens& tokens) {
  for (const int32_t id : {tokens.bos, tokens.eos, tokens.pad, tokens.unk}) {
    if (id != -1) require_token(id);
  }
  special_tokens_ = tokens;
}

void Tokenizer::set_ends(TextEnds ends) {
  for (const auto* const ids : {&ends.before, &ends.after}) {
    for (const int32_t id : *ids) require_token(id);
  }
  ends_ = std::move(ends);
}

std::unique_ptr<Tokenizer> make_byte_tokenizer(std::vector<AddedToken> added) {
  return std::make_unique<ByteTokenizer>(std::move(added));
}

std::unique_ptr<Tokenizer> make_char_tokenizer(const std::vector<uint32_t>& characters,
                                               std::vector<AddedToken> added) {
  return std::make_unique<CharTokenizer>(characters, std::move(added));
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
