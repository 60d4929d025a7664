#include "cria/text/word_counts.h"

#include <algorithm>
#include <cstring>

#include "cria/base/parallel.h"

namespace cria {
namespace {

constexpr size_t kChunkBytes = 64 << 10;  // what a thread takes at a time

// Both halves depend on all bits of x.
uint64_t mix(uint64_t x) {
  x *= 0x9e3779b97f4a7c15u;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  return x ^ (x >> 32);
}

uint64_t hash_bytes(std::string_view word) {
  uint64_t hash = word.size();
  while (word.size() >= 8) {
    uint64_t eight;
    std::memcpy(&eight, word.data(), 8);
    hash = mix(hash ^ eight);
    word.remove_prefix(8);
  }
  uint64_t rest = 0;
  std::memcpy(&rest, word.data(), word.size());
  return mix(hash ^ rest);
}

}  // namespace

std::string_view WordCounts::word(int64_t index) const {
  const bool is_last = index + 1 == size();
  const uint64_t begin = words_[index].begin;
  const uint64_t end = is_last ? bytes_.size() : words_[index + 1].begin;
  return std::string_view(bytes_).substr(begin, end - begin);
}

void WordCounts::add_word(std::string_view word, int64_t count) {
  add_hashed(word, hash_bytes(word), count);
}

void WordCounts::add_hashed(std::string_view bytes, uint64_t hash, int64_t count) {
  if (2 * words_.size() >= slots_.size()) index(std::max<size_t>(1024, 2 * slots_.size()));
  const size_t mask = slots_.size() - 1;
  const auto upper = static_cast<uint32_t>(hash >> 32);
  size_t at = hash & mask;
  for (; slots_[at].index != 0; at = (at + 1) & mask) {
    const uint32_t index = slots_[at].index - 1;
    if (slots_[at].hash == upper && word(index) == bytes) {
      words_[index].count += count;
      return;
    }
  }
  words_.push_back({bytes_.size(), hash, count});
  bytes_ += bytes;
  slots_[at] = {upper, static_cast<uint32_t>(words_.size())};
}

// Makes the slots anew.
void WordCounts::index(size_t slots) {
  slots_.assign(slots, {});
  const size_t mask = slots - 1;
  for (uint32_t index = 0; index < words_.size(); ++index) {
    const uint64_t hash = words_[index].hash;
    size_t at = hash & mask;
    while (slots_[at].index != 0) at = (at + 1) & mask;
    slots_[at] = {static_cast<uint32_t>(hash >> 32), index + 1};
  }
}

void WordCounts::keep_budget() {
  const auto fits = [](int64_t words, int64_t bytes, WordBudget budget) {
    return words <= budget.words && bytes <= budget.bytes;
  };
  int64_t words = size(), bytes = static_cast<int64_t>(bytes_.size());
  if (fits(words, bytes, budget_)) return;
  // By count, the last for all that are higher: how many words, and their bytes.
  std::vector<WordBudget> by_count(size_t{1} << 16, {0, 0});
  for (int64_t i = 0; i < size(); ++i) {
    WordBudget& same = by_count[std::min<size_t>(words_[i].count, by_count.size() - 1)];
    ++same.words;
    same.bytes += static_cast<int64_t>(word(i).size());
  }
  int64_t highest = 0;  // the highest count that is dropped
  while (!fits(2 * words, 2 * bytes, budget_) && highest + 1 < std::ssize(by_count)) {
    ++highest;
    words -= by_count[highest].words;
    bytes -= by_count[highest].bytes;
  }
  uint64_t end = 0;
  int64_t kept = 0;
  for (int64_t i = 0; i < size(); ++i) {
    if (words_[i].count <= highest) continue;
    const std::string_view each = word(i);
    std::copy(each.begin(), each.end(), bytes_.begin() + static_cast<int64_t>(end));
    words_[kept] = {end, words_[i].hash, words_[i].count};
    end += each.size();
    ++kept;
  }
  dropped_ += size() - kept;
  words_.resize(kept);
  bytes_.resize(end);
  index(slots_.size());
}

void WordCounts::add_pieces(std::string_view text) {
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = piece_end(pattern_, text, begin);
    for (; begin < end; begin += std::min(end - begin, kLongestWord)) {
      add_word(text.substr(begin, std::min(end - begin, kLongestWord)), 1);
    }
  }
}

void WordCounts::add(std::span<const std::string_view> texts) {
  std::vector<std::string_view> chunks;
  for (std::string_view text : texts) {
    while (!text.empty()) {
      const size_t cut = find_cut(pattern_, text, kChunkBytes);
      chunks.push_back(text.substr(0, cut));
      text.remove_prefix(cut);
    }
  }
  // Each thread's chunks are neighbours, and the threads' words are added in the order of the text:
  // words stand in the order of their first occurrence, however many threads there are.
  const auto count = static_cast<int64_t>(chunks.size());
  std::vector<WordCounts> parts(max_threads(), WordCounts(pattern_));
  parallel_for(count, 1, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t i = begin; i < end; ++i) parts[thread].add_pieces(chunks[i]);
  });
  for (const WordCounts& part : parts) {
    for (int64_t i = 0; i < part.size(); ++i) {
      add_hashed(part.word(i), part.words_[i].hash, part.words_[i].count);
    }
  }
  keep_budget();
}

}  // namespace cria
