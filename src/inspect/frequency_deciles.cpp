#include "inspect/frequency_deciles.h"

#include <algorithm>

namespace cria {

FrequencyDeciles::FrequencyDeciles(std::span<const int64_t> counts)
    : groups_(counts.size(), kUnseen) {
  for (size_t id = 0; id < counts.size(); ++id) {
    if (counts[id] > 0) ranked_.push_back(static_cast<int32_t>(id));
  }
  std::ranges::stable_sort(ranked_, std::greater<>(),
                           [&](int32_t id) { return counts[static_cast<size_t>(id)]; });
  for (size_t rank = 0; rank < ranked_.size(); ++rank) {
    groups_[static_cast<size_t>(ranked_[rank])] =
        static_cast<int8_t>(rank * kDeciles / ranked_.size());
  }
}

}  // namespace cria
