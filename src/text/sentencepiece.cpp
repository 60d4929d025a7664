#include "text/sentencepiece.h"

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>

#include "base/replace_all.h"
#include "base/unicode.h"
#include "cria/base/error.h"
#include "text/added_tokens.h"
#include "text/bpe_cache.h"
#include "text/fail.h"
#include "text/pretokenizer.h"

namespace cria {
namespace {

constexpr uint32_t kSpace = 0x2581;
constexpr std::string_view kSpaceText = "\xE2\x96\x81";
constexpr size_t kAsciiCharacters = 128;
constexpr uint32_t kNoCharacter = ~uint32_t{0};

std::string with_spaces(std::string_view name) {
  return replace_all(name, kSpaceText, " ");
}

// The character as the vocabulary writes it; kNoCharacter for a byte outside valid UTF-8.
Decoded decoded_at(std::string_view text, size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < kAsciiCharacters) return {first == ' ' ? kSpace : first, 1};
  const Decoded character = decode_utf8(text, at);
  return character.length == 0 ? Decoded{kNoCharacter, 1} : character;
}

uint64_t pair_of(uint32_t left, uint32_t right) {
  return uint64_t{left} << 32 | right;
}

// Its place among 128: no token is asked for with a space, which leaves that place to U+2581.
uint32_t ascii_place(uint32_t character) {
  return character == kSpace ? ' ' : character;
}

}  // namespace

std::string byte_name(uint8_t byte) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  return std::string("<0x") + kDigits[byte >> 4] + kDigits[byte & 15] + '>';
}

SentencePieceTokenizer::SentencePieceTokenizer(SentencePieceVocabulary vocabulary, TextEnds ends)
    : vocabulary_(std::move(vocabulary)),
      added_(std::make_unique<AddedTokens>(vocabulary_.added, vocabulary_.names)),
      caches_(std::make_unique<BpeCaches>()) {
  check_all_known();
  index_tokens();
  merges_ = std::make_unique<BpeMerges>(vocabulary_.merges, vocabulary_.names);
  index_neighbors();
  set_ends(std::move(ends));
}

SentencePieceTokenizer::~SentencePieceTokenizer() = default;

void SentencePieceTokenizer::check_all_known() const {
  const std::vector<std::string>& names = vocabulary_.names;
  if (names.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    fail("too many tokens for 31-bit ids");
  }
  if (vocabulary_.own > names.size()) fail("more tokens take part in merging than there are");
  std::vector<bool> is_known(names.size());
  std::fill_n(is_known.begin(), vocabulary_.own, true);
  for (const AddedToken& added : vocabulary_.added) {
    is_known[static_cast<size_t>(added.id)] = true;
  }
  const auto unknown = std::ranges::find(is_known, false);
  if (unknown != is_known.end()) {
    fail("id " + std::to_string(unknown - is_known.begin()) +
         " is neither of the vocabulary nor "
         "an added token");
  }
}

void SentencePieceTokenizer::index_tokens() {
  std::unordered_map<std::string_view, int32_t> ids;
  for (size_t i = 0; i < vocabulary_.names.size(); ++i) {
    const std::string& name = vocabulary_.names[i];
    const auto id = static_cast<int32_t>(i);
    if (name.empty()) fail("empty token", "at least one byte", "id " + std::to_string(id));
    if (first_invalid_utf8(name)) fail("token " + quote(name) + " is not UTF-8");
    const auto [first, is_new] = ids.emplace(name, id);
    if (!is_new) {
      fail("two ids for the token " + quote(name), "one id for each token",
           std::to_string(first->second) + " and " + std::to_string(id));
    }
    tokens_.push_back(with_spaces(name));
    const Decoded character = decode_utf8(name, 0);
    if (i >= vocabulary_.own || static_cast<size_t>(character.length) != name.size()) continue;
    if (character_ids_.size() <= character.code_point) {
      character_ids_.resize(character.code_point + size_t{1}, kNone);
    }
    character_ids_[character.code_point] = id;
  }
  // An added token is its text.
  for (const AddedToken& added : vocabulary_.added) {
    tokens_[static_cast<size_t>(added.id)] = added.text;
  }
  const auto require = [&](const std::string& name, const std::string& what) {
    const auto found = ids.find(name);
    if (found != ids.end() && static_cast<size_t>(found->second) < vocabulary_.own) {
      return found->second;
    }
    fail(what + " has no token", quote(name), "none of that name",
         "without it some texts could not be encoded");
  };
  for (size_t byte = 0; byte < byte_ids_.size(); ++byte) {
    byte_ids_[byte] =
        require(byte_name(static_cast<uint8_t>(byte)), "byte " + std::to_string(byte));
    tokens_[static_cast<size_t>(byte_ids_[byte])] = static_cast<char>(byte);
  }
  require(std::string(kSpaceText), "the space");
}

// Only what merges make has characters side by side.
void SentencePieceTokenizer::index_neighbors() {
  std::vector<bool> is_byte(vocabulary_.names.size());
  for (const int32_t id : byte_ids_) is_byte[static_cast<size_t>(id)] = true;
  ascii_neighbors_.assign(kAsciiCharacters * kAsciiCharacters, false);
  for (size_t rank = 0; rank < vocabulary_.merges.size(); ++rank) {
    const auto [left, right, result] = vocabulary_.merges[rank];
    for (const int32_t id : {left, right, result}) {
      const auto place = static_cast<size_t>(id);
      if (is_byte[place] || place >= vocabulary_.own) {
        fail("merge " + std::to_string(rank) + " is of a token that stands for itself",
             "tokens made of characters", quote(vocabulary_.names[place]));
      }
    }
    const std::string& name = vocabulary_.names[static_cast<size_t>(result)];
    for (size_t at = 0; at < name.size();) {
      const Decoded first = decode_utf8(name, at);
      at += static_cast<size_t>(first.length);
      if (at == name.size()) break;
      const uint32_t a = ascii_place(first.code_point);
      const uint32_t b = ascii_place(decode_utf8(name, at).code_point);
      if (a < kAsciiCharacters && b < kAsciiCharacters) {
        ascii_neighbors_[a * kAsciiCharacters + b] = true;
      } else {
        neighbors_.insert(pair_of(a, b));
      }
    }
  }
}

bool SentencePieceTokenizer::has_side_by_side(uint32_t left, uint32_t right) const {
  const uint32_t a = ascii_place(left), b = ascii_place(right);
  if (a < kAsciiCharacters && b < kAsciiCharacters)
    return ascii_neighbors_[a * kAsciiCharacters + b];
  return a != kNoCharacter && b != kNoCharacter && neighbors_.contains(pair_of(a, b));
}

// Whether no merge can join what is before `at` with what is behind it, 0 < at < text.size().
bool SentencePieceTokenizer::is_cut(std::string_view text, size_t at) const {
  if (!starts_character(text[at])) return false;
  size_t before = at - 1;
  while (before > 0 && at - before < 4 && !starts_character(text[before])) --before;
  const Decoded left = decoded_at(text, before);
  if (before + static_cast<size_t>(left.length) != at) return true;  // a byte outside UTF-8
  return !has_side_by_side(left.code_point, decoded_at(text, at).code_point);
}

size_t SentencePieceTokenizer::piece_end(std::string_view text, size_t begin) const {
  Decoded character = decoded_at(text, begin);
  size_t at = begin + static_cast<size_t>(character.length);
  while (at < text.size()) {
    const Decoded next = decoded_at(text, at);
    if (!has_side_by_side(character.code_point, next.code_point)) break;
    const size_t end = at + static_cast<size_t>(next.length);
    if (end - begin > kLongestPiece) break;
    character = next;
    at = end;
  }
  return at;
}

void SentencePieceTokenizer::encode_piece(std::string_view piece, std::vector<int32_t>& ids) const {
  std::array<int32_t, BpeMerges::kShort> few;
  std::vector<int32_t> many(piece.size() <= few.size() ? 0 : piece.size());
  int32_t* const symbols = many.empty() ? few.data() : many.data();
  size_t count = 0;
  for (size_t at = 0; at < piece.size();) {
    const Decoded character = decoded_at(piece, at);
    const size_t end = at + static_cast<size_t>(character.length);
    const bool known = character.code_point < character_ids_.size() &&
                       character_ids_[character.code_point] != kNone;
    if (known) symbols[count++] = character_ids_[character.code_point];
    for (; at < end; ++at) {
      if (!known) symbols[count++] = byte_ids_[static_cast<unsigned char>(piece[at])];
    }
  }
  merges_->merge({symbols, count}, ids);
}

bool SentencePieceTokenizer::gets_space(std::string_view part, bool begins) const {
  if (vocabulary_.front == FrontSpace::each_part) return true;
  if (vocabulary_.front == FrontSpace::never) return false;
  if (part.starts_with(' ') || part.starts_with(kSpaceText)) return false;
  return begins || vocabulary_.front == FrontSpace::spaceless;
}

void SentencePieceTokenizer::encode_text(std::string_view text, bool begins, bool allow_special,
                                         std::vector<int32_t>& ids) const {
  BpeCaches::Loan cache = caches_->borrow();
  const auto encode_cached = [&](std::string_view piece) {
    if (cache->find(piece, ids)) return;
    const size_t before = ids.size();
    encode_piece(piece, ids);
    cache->keep(piece, {ids.data() + before, ids.size() - before});
  };
  const auto encode_part = [&](std::string_view part, size_t place) {
    size_t begin = 0;
    // What goes on behind a cut is no part by itself.
    if ((place > 0 || begins) && gets_space(part, place == 0)) {
      const bool joined = has_side_by_side(kSpace, decoded_at(part, 0).code_point);
      begin = joined ? piece_end(part, 0) : 0;
      encode_cached(std::string(" ").append(part.substr(0, begin)));
    }
    while (begin < part.size()) {
      const size_t end = piece_end(part, begin);
      encode_cached(part.substr(begin, end - begin));
      begin = end;
    }
  };
  added_->split(text, allow_special, encode_part,
                [&](const AddedToken& token) { ids.push_back(token.id); });
}

void SentencePieceTokenizer::encode(std::string_view text, std::vector<int32_t>& out,
                                    const std::string&, uint64_t, bool allow_special) const {
  encode_text(text, true, allow_special, out);
}

void SentencePieceTokenizer::encode_after_cut(std::string_view text, std::vector<int32_t>& out,
                                              const std::string&, uint64_t) const {
  encode_text(text, false, false, out);
}

std::unique_ptr<Tokenizer> SentencePieceTokenizer::with_added(std::vector<AddedToken> added) const {
  SentencePieceVocabulary vocabulary = vocabulary_;
  for (size_t i = vocabulary.added.size(); i < added.size(); ++i) {
    vocabulary.names.push_back(added[i].text);
  }
  vocabulary.added = std::move(added);
  return std::make_unique<SentencePieceTokenizer>(std::move(vocabulary));
}

size_t SentencePieceTokenizer::find_cut(std::string_view text, size_t from) const {
  // Behind an added token a part begins, which a text behind a cut does not.
  const auto is_apart = [&](size_t at) {
    return !added_->may_span(text, at) &&
           std::ranges::none_of(vocabulary_.added, [&](const AddedToken& added) {
             return !added.special && text.substr(0, at).ends_with(added.text);
           });
  };
  const size_t limit = std::min(text.size(), from + kCutSearch);
  for (size_t at = std::max<size_t>(from, 1); at < limit; ++at) {
    if (is_cut(text, at) && is_apart(at)) return at;
  }
  const size_t last = std::min(text.size(), from + kLongestPiece);
  size_t at = 0;  // which is no cut: what begins a text has a space in front
  while (at < std::max<size_t>(from, 1) || (at < last && !is_apart(at))) {
    if (at == text.size()) break;
    at = piece_end(text, at);
  }
  return at;
}

int64_t SentencePieceTokenizer::vocab_size() const {
  return std::ssize(vocabulary_.names);
}

std::string_view SentencePieceTokenizer::token(int32_t id) const {
  return tokens_[static_cast<size_t>(id)];
}

}  // namespace cria
