// The distinct words of texts and how often each occurs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cria/text/pretokenizer.h"

namespace cria {

// The first place at or after `from` where every text that begins like this one has the end of a
// piece, or text.size() if none is found. The two sides may be cut into pieces one by one.
size_t find_cut(Pattern pattern, std::string_view text, size_t from);

// Distinct words and how often each occurs, in order of first occurrence. Memory: the bytes of the
// distinct words and about 50 bytes for each of them.
class WordCounts {
 public:
  explicit WordCounts(Pattern pattern) : pattern_(pattern) {}

  // Counts the pieces of texts, over all cores; no piece goes from one text into the next. Meant
  // for megabytes at once: the threads' own counts, as large as the words of the texts, are added
  // up at the end of the call.
  void add(std::span<const std::string_view> texts);
  void add(std::string_view text) { add(std::span(&text, 1)); }

  void add_word(std::string_view word, int64_t count);  // a word as it is

  Pattern pattern() const { return pattern_; }
  int64_t size() const { return static_cast<int64_t>(words_.size()); }
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
  void grow();

  Pattern pattern_;
  std::string bytes_;
  std::vector<Word> words_;
  std::vector<Slot> slots_;  // open addressing, a power of two, at most half full
};

}  // namespace cria
