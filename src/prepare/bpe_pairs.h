// What learning a BPE vocabulary knows of pairs of tokens, in little memory: millions of pairs
// occur in one word or two.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "cria/base/error.h"

namespace cria {

struct Pair {
  int32_t left, right;
  auto operator<=>(const Pair&) const = default;
};

inline constexpr uint32_t kNoIndex = UINT32_MAX;

// An array that grows without moving, so that it never takes twice its size.
template <class T>
class Segments {
 public:
  T& operator[](uint32_t i) { return segments_[i >> kBits][i & (kSize - 1)]; }
  const T& operator[](uint32_t i) const { return segments_[i >> kBits][i & (kSize - 1)]; }
  uint32_t size() const { return size_; }

  uint32_t add(const T& item) {
    if (size_ == kNoIndex) throw Error("too many different words to learn from");
    if ((size_ & (kSize - 1)) == 0) segments_.push_back(std::make_unique<T[]>(kSize));
    (*this)[size_] = item;
    return size_++;
  }

  void shrink(uint32_t size) {
    size_ = size;
    segments_.resize((size_t{size} + kSize - 1) >> kBits);
  }

 private:
  static constexpr int kBits = 14;
  static constexpr uint32_t kSize = 1u << kBits;

  std::vector<std::unique_ptr<T[]>> segments_;
  uint32_t size_ = 0;
};

// Lists of words, most of them short and there for a short time: chains of small blocks, the last
// one first.
class WordLists {
 public:
  // Adds a word to the list (kNoIndex: an empty one), unless it is the last one there.
  void add(uint32_t& list, uint32_t word) {
    int used = 0;
    while (list != kNoIndex && used < kWords && blocks_[list].words[used] != kNoIndex) ++used;
    if (used > 0 && blocks_[list].words[used - 1] == word) return;
    if (list == kNoIndex || used == kWords) {
      list = new_block(list);
      used = 0;
    }
    blocks_[list].words[used] = word;
  }

  // Empties the list, and calls body(word) for each; the body may change other lists.
  template <class Body>
  void take(uint32_t& list, Body&& body) {
    while (list != kNoIndex) {
      const Block block = blocks_[list];
      blocks_[list].next = free_;
      free_ = std::exchange(list, block.next);
      for (int i = 0; i < kWords && block.words[i] != kNoIndex; ++i) body(block.words[i]);
    }
  }

 private:
  static constexpr int kWords = 3;

  struct Block {
    uint32_t next = kNoIndex;
    std::array<uint32_t, kWords> words;
  };

  uint32_t new_block(uint32_t next) {
    Block block = {.next = next, .words = {}};
    block.words.fill(kNoIndex);
    if (free_ == kNoIndex) return blocks_.add(block);
    const uint32_t place = free_;
    free_ = blocks_[place].next;
    blocks_[place] = block;
    return place;
  }

  Segments<Block> blocks_;
  uint32_t free_ = kNoIndex;
};

// How often each pair occurs, and the words that the current merge brought it to.
class PairTable {
 public:
  struct Entry {
    Pair pair = {-1, -1};
    int64_t count = 0;
    uint32_t words = kNoIndex;  // a list of the current merge
  };

  PairTable() : slots_(size_t{1} << 16, kNoIndex) {}

  Entry& operator[](uint32_t index) { return entries_[index]; }
  const Entry& operator[](uint32_t index) const { return entries_[index]; }
  uint32_t size() const { return entries_.size(); }

  // Forgets the pairs that do not occur. The new index of each entry, kNoIndex for those.
  std::vector<uint32_t> forget_zeros() {
    std::vector<uint32_t> moved(size(), kNoIndex);
    uint32_t kept = 0;
    for (uint32_t index = 0; index < size(); ++index) {
      if (entries_[index].count == 0) continue;
      moved[index] = kept;
      entries_[kept++] = entries_[index];
    }
    entries_.shrink(kept);
    index_all(slots_.size());
    return moved;
  }

  // The index of the pair's entry, which is made if it is not there.
  uint32_t find(Pair pair) {
    uint32_t* slot = &slot_of(pair);
    if (*slot != kNoIndex) return *slot;
    if (2 * (size_t{entries_.size()} + 1) > slots_.size()) {
      index_all(2 * slots_.size());
      slot = &slot_of(pair);
    }
    return *slot = entries_.add({.pair = pair});
  }

 private:
  uint32_t& slot_of(Pair pair) {
    const uint64_t key = static_cast<uint64_t>(pair.left) << 32 | static_cast<uint32_t>(pair.right);
    const uint64_t hash = key * 0x9e3779b97f4a7c15u;
    const size_t mask = slots_.size() - 1;
    size_t at = (hash ^ hash >> 32) & mask;
    while (slots_[at] != kNoIndex && entries_[slots_[at]].pair != pair) at = (at + 1) & mask;
    return slots_[at];
  }

  void index_all(size_t slots) {
    slots_.clear();
    slots_.shrink_to_fit();
    slots_.resize(slots, kNoIndex);
    for (uint32_t index = 0; index < size(); ++index) slot_of(entries_[index].pair) = index;
  }

  Segments<Entry> entries_;
  std::vector<uint32_t> slots_;  // open addressing, a power of two, at most half full
};

// A pair that may be merged next. The count may be out of date: it is looked up again when the
// candidate's turn comes.
struct Candidate {
  int64_t count;
  uint32_t pair;   // its entry
  uint32_t words;  // a list
};

}  // namespace cria
