#include "prepare/word_counts.h"

#include <algorithm>
#include <cstring>

#include "cria/base/parallel.h"

namespace cria {
namespace {

constexpr size_t kChunkBytes = 64 << 10;  // between two cuts
constexpr int64_t kTogether = 8;  // chunks whose words a thread counts before they are added

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

// Drops all words below a count, and of those with this count the ones that were there first, which
// had the most time to occur again.
void WordCounts::keep_budget() {
  if (size() <= budget_.words && std::ssize(bytes_) <= budget_.bytes) return;
  // How many words there are of each count, the last for all higher ones, and their bytes.
  std::vector<WordBudget> by_count(size_t{1} << 16, {0, 0});
  const auto class_of = [&](int64_t index) {
    return std::min<size_t>(words_[index].count, by_count.size() - 1);
  };
  for (int64_t i = 0; i < size(); ++i) {
    WordBudget& same = by_count[class_of(i)];
    ++same.words;
    same.bytes += std::ssize(word(i));
  }
  // What is too much, and what the classes below `last` are of it.
  WordBudget surplus = {size() - budget_.words / 2, std::ssize(bytes_) - budget_.bytes / 2};
  size_t last = 0;
  while (last + 1 < by_count.size() &&
         (by_count[last].words < surplus.words || by_count[last].bytes < surplus.bytes)) {
    surplus.words -= by_count[last].words;
    surplus.bytes -= by_count[last].bytes;
    ++last;
  }
  uint64_t end = 0;
  int64_t kept = 0;
  for (int64_t i = 0; i < size(); ++i) {
    const std::string_view each = word(i);
    const size_t same = class_of(i);
    if (same < last) continue;
    if (same == last && (surplus.words > 0 || surplus.bytes > 0)) {
      --surplus.words;
      surplus.bytes -= std::ssize(each);
      continue;
    }
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
    const size_t end = piece_end(regex_, text, begin);
    for (; begin < end; begin += std::min(end - begin, kLongestWord)) {
      add_word(text.substr(begin, std::min(end - begin, kLongestWord)), 1);
    }
  }
}

void WordCounts::add(std::span<const std::string_view> texts) {
  std::vector<std::string_view> chunks;
  for (std::string_view text : texts) {
    while (!text.empty()) {
      const size_t cut = find_cut(regex_, text, kChunkBytes);
      chunks.push_back(text.substr(0, cut));
      text.remove_prefix(cut);
    }
  }
  // A part's chunks are neighbours, and the parts' words are added in the order of the text: words
  // stand in the order of their first occurrence, however many threads there are.
  const auto count = std::ssize(chunks), together = kTogether * max_threads();
  for (int64_t first = 0; first < count; first += together) {
    const int64_t round = std::min(together, count - first), part_count = max_threads();
    std::vector<WordCounts> parts(part_count, WordCounts(regex_));
    parallel_tasks(part_count, [&](int64_t part, int) {
      for (int64_t i = round * part / part_count; i < round * (part + 1) / part_count; ++i) {
        parts[part].add_pieces(chunks[first + i]);
      }
    });
    for (const WordCounts& part : parts) {
      for (int64_t i = 0; i < part.size(); ++i) {
        add_hashed(part.word(i), part.words_[i].hash, part.words_[i].count);
      }
    }
  }
  keep_budget();
}

}  // namespace cria
