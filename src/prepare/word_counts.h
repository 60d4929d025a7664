// The distinct words of texts and how often each occurs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/pretokenizer.h"

namespace cria {

// What WordCounts may hold: distinct words, and the bytes of all of them.
struct WordBudget {
  int64_t words = 1800 * 1000;
  int64_t bytes = int64_t{1} << 24;
};

// Distinct words and how often each occurs, in order of first occurrence. Memory: the bytes of the
// distinct words and about 50 bytes for each of them. When they are beyond the budget the rarest
// are dropped: those that occurred once, then those that occurred twice, ... until half of the
// budget is free; if they occur again they are counted from nothing. Source: lossy counting, Manku
// and Motwani, "Approximate Frequency Counts over Data Streams", VLDB 2002.
class WordCounts {
 public:
  explicit WordCounts(Regex regex, WordBudget budget = {}) : regex_(regex), budget_(budget) {}

  // Longer pieces are counted in parts: a merge walks through all words it changes.
  static constexpr size_t kLongestWord = 16 << 10;

  // Counts the pieces of texts, over all cores; no piece goes from one text into the next. Meant
  // for megabytes at once; the budget is looked at when the call ends.
  void add(std::span<const std::string_view> texts);
  void add(std::string_view text) { add(std::span(&text, 1)); }

  void add_word(std::string_view word, int64_t count);  // a word as it is, whatever the budget

  Regex regex() const { return regex_; }
  int64_t size() const { return static_cast<int64_t>(words_.size()); }
  int64_t dropped() const { return dropped_; }  // words, each time that one was
  std::string_view word(int64_t index) const;
  int64_t count(int64_t index) const { return words_[index].count; }

 private:
  struct Word {
    uint64_t begin;  // in bytes_; it ends where the next begins
    uint64_t hash;
    int64_t count;
  };
  struct Slot {
    uint32_t hash;   // the upper half, to pass over most other words unread
    uint32_t index;  // in words_, plus 1; 0: empty
  };

  void add_hashed(std::string_view word, uint64_t hash, int64_t count);
  void add_pieces(std::string_view text);
  void index(size_t slots);
  void keep_budget();

  Regex regex_;
  WordBudget budget_;
  int64_t dropped_ = 0;
  std::string bytes_;
  std::vector<Word> words_;
  std::vector<Slot> slots_;  // open addressing, a power of two, at most half full
};

}  // namespace cria
