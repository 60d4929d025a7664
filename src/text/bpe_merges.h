// The merges of byte pair encoding: neighbouring symbols become one, in order of rank.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cria {

inline constexpr int32_t kNone = -1;  // no id, no symbol

struct BpeMerge {
  int32_t left, right, result;
};

// All ways to make a token of two others, by the ids of what they make, left and right. tokens: by
// id; "" for what takes no part. Error when the texts of the merges are so much longer than the
// tokens that a small file would make a large vocabulary of them.
std::vector<BpeMerge> ways_to_merge(const std::vector<std::string_view>& tokens);

class BpeMerges {
 public:
  // merges: in order of rank; they must stay where they are. tokens: by id, what a merge's two
  // sides put together. Error for an id outside them, a merge that does not make its result, two of
  // a pair.
  BpeMerges(std::span<const BpeMerge> merges, const std::vector<std::string>& tokens);

  // Appends the ids that are left: the neighbours whose merge has the lowest rank are merged, the
  // leftmost among equals, until none are left. n log n; uses symbols up. 2^31 or more symbols are
  // an Error.
  void merge(std::span<int32_t> symbols, std::vector<int32_t>& ids) const;

  // Up to here looking at every pair again for each merge is faster than a heap.
  static constexpr size_t kShort = 48;

 private:
  struct Pair {
    uint64_t key;  // left, right
    int32_t rank, result;
  };

  const Pair* find_pair(int32_t left, int32_t right) const;
  size_t slot_of(uint64_t key) const;
  void merge_short(std::span<int32_t> symbols, std::vector<int32_t>& ids) const;
  void merge_long(std::span<const int32_t> from, std::vector<int32_t>& ids) const;

  std::span<const BpeMerge> merges_;
  std::vector<Pair> pairs_;  // open addressing, a power of two
  int pair_shift_ = 0;
};

}  // namespace cria
