#include "text/bpe_merges.h"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <limits>
#include <queue>
#include <unordered_map>
#include <utility>

#include "base/unicode.h"
#include "text/fail.h"

namespace cria {
namespace {

constexpr int32_t kNoRank = std::numeric_limits<int32_t>::max();
constexpr uint64_t kNoPair = ~uint64_t{0};  // ids are not negative

uint64_t pair_key(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

}  // namespace

std::vector<BpeMerge> ways_to_merge(const std::vector<std::string_view>& tokens) {
  constexpr size_t kMostBytes = size_t{16} << 20, kMostTimes = 16;
  std::unordered_map<std::string_view, int32_t> ids;
  size_t bytes = 0, longest = 0;
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (!tokens[id].empty()) ids.emplace(tokens[id], static_cast<int32_t>(id));
    bytes += tokens[id].size();
    longest = std::max(longest, tokens[id].size());
  }
  // Most cuts leave a side that is as long as no token: then its text need not be looked at.
  std::vector<bool> is_length(longest + 1);
  for (const std::string_view token : tokens) is_length[token.size()] = true;
  size_t rest = kMostBytes + kMostTimes * bytes;
  std::vector<BpeMerge> merges;
  for (size_t id = 0; id < tokens.size(); ++id) {
    const std::string_view token = tokens[id];
    const size_t first = merges.size();
    for (size_t cut = 1; cut < token.size(); ++cut) {
      if (!is_length[cut] || !is_length[token.size() - cut]) continue;
      const auto left = ids.find(token.substr(0, cut)), right = ids.find(token.substr(cut));
      if (left == ids.end() || right == ids.end()) continue;
      if (token.size() > rest) {
        fail("too many ways to make tokens of others",
             "merges of at most " + std::to_string(kMostBytes + kMostTimes * bytes) + " bytes",
             "more of them at token " + std::to_string(id));
      }
      rest -= token.size();
      merges.push_back({left->second, right->second, static_cast<int32_t>(id)});
    }
    std::sort(merges.begin() + static_cast<std::ptrdiff_t>(first), merges.end(),
              [](const BpeMerge& a, const BpeMerge& b) {
                return std::pair(a.left, a.right) < std::pair(b.left, b.right);
              });
  }
  return merges;
}

BpeMerges::BpeMerges(std::span<const BpeMerge> merges, const std::vector<std::string>& tokens)
    : merges_(merges) {
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
           quote(tokens[static_cast<size_t>(result)]) + " (id " + std::to_string(result) + ")");
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

// The slot that key is in, or belongs into: found by Fibonacci hashing, then the next free one.
inline size_t BpeMerges::slot_of(uint64_t key) const {
  size_t slot = static_cast<size_t>((key ^ (key >> 29)) * 0x9E3779B97F4A7C15u >> pair_shift_);
  while (pairs_[slot].key != key && pairs_[slot].key != kNoPair) {
    slot = (slot + 1) & (pairs_.size() - 1);
  }
  return slot;
}

inline const BpeMerges::Pair* BpeMerges::find_pair(int32_t left, int32_t right) const {
  return &pairs_[slot_of(pair_key(left, right))];  // kNoRank when there is none
}

void BpeMerges::merge_short(std::span<int32_t> symbols, std::vector<int32_t>& ids) const {
  std::array<const Pair*, kShort> pairs;  // of each symbol with the next
  size_t count = symbols.size();
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

// The symbols are linked at their first places. The heap holds rank and place of every pair
// that ever was; one that no longer is has another rank there, since no two pairs share a rank.
void BpeMerges::merge_long(std::span<const int32_t> from, std::vector<int32_t>& ids) const {
  struct Symbol {
    int32_t id, previous, next, rank;  // rank: of its pair with the next
  };
  const auto count = static_cast<int32_t>(from.size());
  std::vector<Symbol> symbols(from.size());
  std::vector<uint64_t> first_pairs;
  for (int32_t i = 0; i < count; ++i) {
    symbols[static_cast<size_t>(i)] = {from[static_cast<size_t>(i)], i - 1,
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
    symbol.id = merges_[static_cast<size_t>(rank)].result;
    symbol.next = gone.next;
    gone.rank = kNoRank;
    if (symbol.next != kNone) at(symbol.next).previous = place;
    const auto push = [&](uint64_t entry) { heap.push(entry); };
    rank_pair(place, push);
    if (symbol.previous != kNone) rank_pair(symbol.previous, push);
  }
  for (int32_t place = 0; place != kNone; place = at(place).next) ids.push_back(at(place).id);
}

void BpeMerges::merge(std::span<int32_t> symbols, std::vector<int32_t>& ids) const {
  if (symbols.size() <= kShort) return merge_short(symbols, ids);
  if (symbols.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    fail("a piece of text without a place to cut it", "less than 2 GiB",
         std::to_string(symbols.size()) + " symbols");
  }
  merge_long(symbols, ids);
}

}  // namespace cria
