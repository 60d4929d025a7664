#include "text/bpe_tokenizer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/unicode.h"
#include "base/unicode_nfc.h"
#include "cria/base/error.h"
#include "text/added_tokens.h"
#include "text/bpe_cache.h"
#include "text/fail.h"

namespace cria {
BpeTokenizer::BpeTokenizer(BpeVocabulary vocabulary, TextEnds ends)
    : vocabulary_(std::move(vocabulary)),
      added_(std::make_unique<AddedTokens>(vocabulary_.added, vocabulary_.tokens)),
      caches_(std::make_unique<BpeCaches>()) {
  index_tokens();
  merges_ = std::make_unique<BpeMerges>(vocabulary_.merges, vocabulary_.tokens);
  set_ends(std::move(ends));
}

BpeTokenizer::~BpeTokenizer() = default;

void BpeTokenizer::index_tokens() {
  const std::vector<std::string>& tokens = vocabulary_.tokens;
  if (tokens.size() > std::numeric_limits<int32_t>::max()) fail("too many tokens for 31-bit ids");
  std::vector<bool> is_added(tokens.size());
  byte_ids_.fill(kNone);
  // A byte may itself be an added token, and nothing else.
  for (const AddedToken& added : vocabulary_.added) {
    is_added[static_cast<size_t>(added.id)] = true;
    if (added.text.size() == 1) byte_ids_[byte_of(added.text[0])] = added.id;
  }
  ids_.reserve(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto id = static_cast<int32_t>(i);
    if (tokens[i].empty()) fail("empty token", "at least one byte", "id " + std::to_string(id));
    if (is_added[i]) continue;
    const auto [first, is_new] = ids_.emplace(tokens[i], id);
    if (!is_new) {
      fail("two ids for the token " + quote(tokens[i]), "one id for each token",
           std::to_string(first->second) + " and " + std::to_string(id));
    }
    if (tokens[i].size() == 1) byte_ids_[byte_of(tokens[i][0])] = id;
  }
  const auto lacking = std::ranges::count(byte_ids_, kNone);
  if (lacking == std::ssize(byte_ids_)) fail("no byte has a token", "tokens to begin merging with");
  lacks_bytes_ = lacking > 0;
  if (!vocabulary_.ignore_merges) ids_ = {};
}

size_t BpeTokenizer::first_without_token(std::string_view piece) const {
  if (!lacks_bytes_ || (vocabulary_.ignore_merges && ids_.contains(piece))) return piece.size();
  return static_cast<size_t>(
      std::ranges::find_if(piece, [&](char byte) { return byte_ids_[byte_of(byte)] == kNone; }) -
      piece.begin());
}

void BpeTokenizer::encode_piece(std::string_view piece, std::vector<int32_t>& ids,
                                const std::string& where, uint64_t offset) const {
  if (piece.empty()) return;
  if (const size_t at = first_without_token(piece); at < piece.size()) {
    const std::string byte = quote(piece.substr(at, 1));
    throw Error("the byte " + byte + " has no token",
                {.where = where + " at byte " + std::to_string(offset + at),
                 .expected = "bytes that the vocabulary has",
                 .got = byte,
                 .hint = "leave it out of the text: the tokenizer was made without it"});
  }
  if (vocabulary_.ignore_merges) {
    if (const auto found = ids_.find(piece); found != ids_.end()) {
      ids.push_back(found->second);
      return;
    }
  }
  const auto symbol = [&](char byte) { return byte_ids_[byte_of(byte)]; };
  if (piece.size() <= BpeMerges::kShort) {
    std::array<int32_t, BpeMerges::kShort> symbols;
    std::ranges::transform(piece, symbols.begin(), symbol);
    return merges_->merge({symbols.data(), piece.size()}, ids);
  }
  std::vector<int32_t> symbols(piece.size());
  std::ranges::transform(piece, symbols.begin(), symbol);
  merges_->merge(symbols, ids);
}

void BpeTokenizer::encode(std::string_view text, std::vector<int32_t>& ids,
                          const std::string& where, uint64_t offset, bool allow_special) const {
  BpeCaches::Loan cache = caches_->borrow();
  std::string normal;
  const auto encode_plain = [&](std::string_view plain, size_t place) {
    if (vocabulary_.nfc) plain = nfc(plain, normal);
    for (size_t begin = 0; begin < plain.size();) {
      const size_t end = piece_end(vocabulary_.regex, plain, begin);
      const std::string_view piece = plain.substr(begin, end - begin);
      const uint64_t from = offset + place + begin;
      begin = end;
      if (cache->find(piece, ids)) continue;
      const size_t before = ids.size();
      encode_piece(piece, ids, where, from);
      cache->keep(piece, {ids.data() + before, ids.size() - before});
    }
  };
  added_->split(text, allow_special, encode_plain,
                [&](const AddedToken& added) { ids.push_back(added.id); });
}

size_t BpeTokenizer::find_cut(std::string_view text, size_t from) const {
  const Regex regex = vocabulary_.regex;
  const bool nfc = vocabulary_.nfc;
  if (!added_->any(false) && !nfc) return cria::find_cut(regex, text, from);
  // Further down the pieces are not those of the normal form: it is worth a longer search.
  const size_t limit = std::min(text.size(), from + (nfc ? kLongestPiece : kCutSearch));
  // What is a letter in the text may end with a sign in its normal form, which takes a line end.
  const auto may_cut = [&](size_t at) {
    const bool is_safe = regex == Regex::gpt2 || (text[at] != '\n' && text[at] != '\r');
    return (!nfc || (is_safe && begins_normal(text, at))) && !added_->may_span(text, at);
  };
  size_t cut = next_cut(regex, text, from, limit);
  while (cut < limit && !may_cut(cut)) cut = next_cut(regex, text, cut + 1, limit);
  if (cut < limit || cut == text.size()) return cut;
  // The text is walked as encode does: what is between added tokens begins where a piece does.
  size_t at = 0;
  bool found = false;
  const auto visit = [&](size_t end, auto&& place) {
    if (!found && end >= from && end > 0) {
      cut = place();
      found = true;
    }
    at = end;
  };
  added_->split(
      text, false,
      [&](std::string_view part, size_t begin) {
        visit(begin + part.size(),
              [&] { return begin + cria::find_cut(regex, part, std::max(from, begin) - begin); });
      },
      [&](const AddedToken& added) {
        const size_t end = at + added.text.size();
        visit(end, [&] { return end; });
      });
  return cut;
}

std::unique_ptr<Tokenizer> BpeTokenizer::with_added(std::vector<AddedToken> added) const {
  BpeVocabulary vocabulary = vocabulary_;
  for (size_t i = vocabulary.added.size(); i < added.size(); ++i) {
    vocabulary.tokens.push_back(added[i].text);
  }
  vocabulary.added = std::move(added);
  return std::make_unique<BpeTokenizer>(std::move(vocabulary));
}

}  // namespace cria
