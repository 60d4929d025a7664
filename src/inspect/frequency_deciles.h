// Tokens in ten groups by how often they occur, and means over each group.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace cria {

inline constexpr int kDeciles = 10;

// Of the ids that occur, each tenth by rank: group 0 has the most frequent ids, group 9 the rarest;
// all have as many ids, up to one. Not as many tokens: then the first would be a handful of ids.
// The ids that never occur are a group of their own, the last.
class FrequencyDeciles {
 public:
  static constexpr int kUnseen = kDeciles, kGroups = kDeciles + 1;

  // counts: of each id [V]. Of equally frequent ids the lowest comes first.
  explicit FrequencyDeciles(std::span<const int64_t> counts);

  int group(int64_t id) const { return groups_[static_cast<size_t>(id)]; }
  int64_t ids() const { return static_cast<int64_t>(groups_.size()); }  // V
  // The ids that occur, the most frequent first.
  const std::vector<int32_t>& ranked() const { return ranked_; }

 private:
  std::vector<int8_t> groups_;
  std::vector<int32_t> ranked_;
};

// Means by group; NaN for a group that nothing was added to.
class GroupMeans {
 public:
  void add(int group, double value) {
    sums_[static_cast<size_t>(group)] += value;
    ++counts_[static_cast<size_t>(group)];
  }
  int64_t count(int group) const { return counts_[static_cast<size_t>(group)]; }
  double mean(int group) const {
    const int64_t n = count(group);
    return n > 0 ? sums_[static_cast<size_t>(group)] / static_cast<double>(n)
                 : std::numeric_limits<double>::quiet_NaN();
  }
  bool operator==(const GroupMeans&) const = default;

 private:
  std::array<double, FrequencyDeciles::kGroups> sums_{};
  std::array<int64_t, FrequencyDeciles::kGroups> counts_{};
};

}  // namespace cria
