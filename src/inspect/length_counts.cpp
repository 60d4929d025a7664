#include "inspect/length_counts.h"

#include <algorithm>
#include <bit>

namespace cria {

void LengthCounts::add(const LengthCounts& other) {
  for (const auto& [length, documents] : other.counts_) add(length, documents);
}

int64_t LengthCounts::quantile(int percent) const {
  int64_t left = std::max<int64_t>(1, (percent * documents_ + 99) / 100);  // nearest rank
  auto at = counts_.begin();
  for (; left > at->second; ++at) left -= at->second;
  return at->first;
}

std::vector<LengthCounts::Range> LengthCounts::powers_of_two() const {
  std::vector<Range> ranges;
  for (const auto& [length, documents] : counts_) {
    const auto from = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(length)));
    if (ranges.empty()) ranges.push_back({from, 2 * from - 1, 0});
    while (ranges.back().from < from) {
      const int64_t next = ranges.back().to + 1;
      ranges.push_back({next, 2 * next - 1, 0});
    }
    ranges.back().documents += documents;
  }
  return ranges;
}

}  // namespace cria
