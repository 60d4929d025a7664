#include "cria/text/bpe.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <queue>
#include <utility>

#include "added_tokens.h"
#include "bpe_cache.h"
#include "cria/base/error.h"
#include "cria/base/unicode.h"

namespace cria {
namespace {

constexpr int32_t kNone = -1;
constexpr int32_t kNoRank = std::numeric_limits<int32_t>::max();
constexpr uint64_t kNoPair = ~uint64_t{0};  // ids are not negative

// Up to here looking at every pair again for each merge is faster than a heap.
constexpr size_t kShort = 48;

[[noreturn]] void fail(const std::string& summary, const std::string& expected = {},
                       const std::string& got = {}, const std::string& hint = {}) {
  throw Error(summary, {.expected = expected, .got = got, .hint = hint});
}

std::string shown(int32_t id, const std::vector<std::string>& tokens) {
  return quote(tokens[static_cast<size_t>(id)]) + " (id " + std::to_string(id) + ")";
}

uint64_t pair_key(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

unsigned char byte_of(char c) {
  return static_cast<unsigned char>(c);
}

}  // namespace

Bpe::Bpe(BpeVocabulary vocabulary)
    : vocabulary_(std::move(vocabulary)),
      added_(std::make_unique<AddedTokens>(vocabulary_.added)),
      caches_(std::make_unique<BpeCaches>()) {
  check_added();
  index_tokens();
  index_merges();
}

Bpe::~Bpe() = default;

void Bpe::check_added() const {
  const auto count = static_cast<int64_t>(vocabulary_.tokens.size());
  for (const AddedToken& added : vocabulary_.added) {
    if (added.id < 0 || added.id >= count) {
      fail("added token " + quote(added.text) + " has an id outside the vocabulary",
           "0 to " + std::to_string(count - 1), std::to_string(added.id));
    }
    if (vocabulary_.tokens[static_cast<size_t>(added.id)] != added.text) {
      fail("added token " + quote(added.text) + " is not the token of its id", quote(added.text),
           shown(added.id, vocabulary_.tokens));
    }
  }
}

void Bpe::index_tokens() {
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
  for (size_t byte = 0; byte < byte_ids_.size(); ++byte) {
    if (byte_ids_[byte] != kNone) continue;
    fail("byte " + std::to_string(byte) + " has no token", "a token for each of the 256 bytes",
         "none for " + quote(std::string(1, static_cast<char>(byte))),
         "without it text with that byte could not be encoded");
  }
  if (!vocabulary_.ignore_merges) ids_ = {};
}

void Bpe::index_merges() {
  const std::vector<std::string>& tokens = vocabulary_.tokens;
  const std::vector<BpeMerge>& merges = vocabulary_.merges;
  const auto count = static_cast<int64_t>(tokens.size());
  if (merges.size() >= static_cast<size_t>(kNoRank)) fail("too many merges for 31-bit ranks");
  const size_t slots = std::bit_ceil(2 * merges.size() + 2);  // at most half of them taken
  pair_shift_ = 64 - std::countr_zero(slots);
  pairs_.assign(slots, {kNoPair, kNoRank, kNone});
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const auto [left, right, result] = merges[rank];
    const std::string name = "merge " + std::to_string(rank);
    for (const int32_t id : {left, right, result}) {
      if (id >= 0 && id < count) continue;
      fail(name + " has an id outside the vocabulary", "0 to " + std::to_string(count - 1),
           std::to_string(id));
    }
    const std::string& left_text = tokens[static_cast<size_t>(left)];
    const std::string& right_text = tokens[static_cast<size_t>(right)];
    if (left_text + right_text != tokens[static_cast<size_t>(result)]) {
      fail(name + " does not make its result", quote(left_text + right_text),
           shown(result, tokens));
    }
    Pair& pair = pairs_[slot_of(pair_key(left, right))];
    if (pair.key != kNoPair) {
      fail("two merges of " + quote(left_text) + " and " + quote(right_text),
           "one merge for each pair",
           "merges " + std::to_string(pair.rank) + " and " + std::to_string(rank));
    }
    pair = {pair_key(left, right), static_cast<int32_t>(rank), result};
  }
}

// Where key is, or where it belongs. Fibonacci hashing, then the next free slot.
inline size_t Bpe::slot_of(uint64_t key) const {
  size_t slot = static_cast<size_t>((key ^ (key >> 29)) * 0x9E3779B97F4A7C15u >> pair_shift_);
  while (pairs_[slot].key != key && pairs_[slot].key != kNoPair) {
    slot = (slot + 1) & (pairs_.size() - 1);
  }
  return slot;
}

inline const Bpe::Pair* Bpe::find_pair(int32_t left, int32_t right) const {
  return &pairs_[slot_of(pair_key(left, right))];  // kNoRank when there is none
}

void Bpe::merge_short(std::string_view piece, std::vector<int32_t>& ids) const {
  std::array<int32_t, kShort> symbols;
  std::array<const Pair*, kShort> pairs;  // of each symbol with the next
  size_t count = piece.size();
  for (size_t i = 0; i < count; ++i) symbols[i] = byte_ids_[byte_of(piece[i])];
  for (size_t i = 0; i + 1 < count; ++i) pairs[i] = find_pair(symbols[i], symbols[i + 1]);
  while (count > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; ++i) {
      if (pairs[i]->rank < pairs[best]->rank) best = i;
    }
    if (pairs[best]->rank == kNoRank) break;
    symbols[best] = pairs[best]->result;
    --count;
    std::copy(symbols.begin() + best + 2, symbols.begin() + count + 1, symbols.begin() + best + 1);
    if (best + 1 < count) {
      std::copy(pairs.begin() + best + 2, pairs.begin() + count, pairs.begin() + best + 1);
      pairs[best] = find_pair(symbols[best], symbols[best + 1]);
    }
    if (best > 0) pairs[best - 1] = find_pair(symbols[best - 1], symbols[best]);
  }
  ids.insert(ids.end(), symbols.begin(), symbols.begin() + count);
}

// The symbols are linked at their first bytes' places. The heap holds rank and place of every pair
// that ever was; one that no longer is has another rank there, since no two pairs share a rank.
void Bpe::merge_long(std::string_view piece, std::vector<int32_t>& ids) const {
  struct Symbol {
    int32_t id, previous, next, rank;  // rank: of its pair with the next
  };
  const auto count = static_cast<int32_t>(piece.size());
  std::vector<Symbol> symbols(piece.size());
  std::vector<uint64_t> first_pairs;
  for (int32_t i = 0; i < count; ++i) {
    symbols[static_cast<size_t>(i)] = {byte_ids_[byte_of(piece[static_cast<size_t>(i)])], i - 1,
                                       i + 1 < count ? i + 1 : kNone, kNoRank};
  }
  const auto at = [&](int32_t place) -> Symbol& { return symbols[static_cast<size_t>(place)]; };
  // Sets the rank of the pair at place; its entry in the heap, when there is one.
  const auto rank_pair = [&](int32_t place, auto&& push) {
    Symbol& symbol = at(place);
    symbol.rank = symbol.next == kNone ? kNoRank : find_pair(symbol.id, at(symbol.next).id)->rank;
    if (symbol.rank != kNoRank) push(pair_key(symbol.rank, place));
  };
  for (int32_t i = 0; i < count; ++i) {
    rank_pair(i, [&](uint64_t entry) { first_pairs.push_back(entry); });
  }
  std::priority_queue heap(std::greater<uint64_t>(), std::move(first_pairs));
  while (!heap.empty()) {
    const auto rank = static_cast<int32_t>(heap.top() >> 32);
    const auto place = static_cast<int32_t>(heap.top() & 0xFFFFFFFFu);
    heap.pop();
    Symbol& symbol = at(place);
    if (symbol.rank != rank) continue;
    Symbol& gone = at(symbol.next);
    symbol.id = vocabulary_.merges[static_cast<size_t>(rank)].result;
    symbol.next = gone.next;
    gone.rank = kNoRank;
    if (symbol.next != kNone) at(symbol.next).previous = place;
    const auto push = [&](uint64_t entry) { heap.push(entry); };
    rank_pair(place, push);
    if (symbol.previous != kNone) rank_pair(symbol.previous, push);
  }
  for (int32_t place = 0; place != kNone; place = at(place).next) ids.push_back(at(place).id);
}

void Bpe::encode_piece(std::string_view piece, std::vector<int32_t>& ids) const {
  if (piece.empty()) return;
  if (vocabulary_.ignore_merges) {
    if (const auto found = ids_.find(piece); found != ids_.end()) {
      ids.push_back(found->second);
      return;
    }
  }
  if (piece.size() <= kShort) return merge_short(piece, ids);
  if (piece.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    fail("a piece of text without a place to cut it", "less than 2 GiB",
         std::to_string(piece.size()) + " bytes");
  }
  merge_long(piece, ids);
}

void Bpe::encode(std::string_view text, std::vector<int32_t>& ids, bool allow_special) const {
  BpeCaches::Loan cache = caches_->borrow();
  const auto encode_plain = [&](std::string_view plain, size_t) {
    for (size_t begin = 0; begin < plain.size();) {
      const size_t end = piece_end(vocabulary_.pattern, plain, begin);
      const std::string_view piece = plain.substr(begin, end - begin);
      begin = end;
      if (cache->find(piece, ids)) continue;
      const size_t before = ids.size();
      encode_piece(piece, ids);
      cache->keep(piece, {ids.data() + before, ids.size() - before});
    }
  };
  added_->split(text, allow_special, encode_plain,
                [&](const AddedToken& added) { ids.push_back(added.id); });
}

size_t Bpe::find_cut(std::string_view text, size_t from) const {
  const Pattern pattern = vocabulary_.pattern;
  if (!added_->any(false)) return cria::find_cut(pattern, text, from);
  const size_t limit = std::min(text.size(), from + kCutSearch);
  size_t cut = next_cut(pattern, text, from, limit);
  while (cut < limit && added_->may_span(text, cut)) {
    cut = next_cut(pattern, text, cut + 1, limit);
  }
  if (cut < limit || cut == text.size()) return cut;
  // As encode goes through it: text between added tokens begins where a piece does.
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
              [&] { return begin + cria::find_cut(pattern, part, std::max(from, begin) - begin); });
      },
      [&](const AddedToken& added) {
        const size_t end = at + added.text.size();
        visit(end, [&] { return end; });
      });
  return cut;
}

std::string Bpe::decode(const std::vector<int32_t>& ids) const {
  std::string text;
  const std::vector<std::string>& tokens = vocabulary_.tokens;
  for (const int32_t id : ids) {
    if (id < 0 || static_cast<size_t>(id) >= tokens.size()) {
      fail("token id outside the vocabulary", "0 to " + std::to_string(tokens.size() - 1),
           std::to_string(id));
    }
    text += tokens[static_cast<size_t>(id)];
  }
  return text;
}

}  // namespace cria
