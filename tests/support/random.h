// Test data: normal numbers that depend on a name only.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "cria/base/rng.h"

namespace cria {

inline std::vector<float> normal_values(int64_t count, std::string_view name, double std = 1.0) {
  std::vector<float> values(count);
  fill_normal(values.data(), 0, count, std, 1, name);
  return values;
}

// Ids in [0, bound).
inline std::vector<int32_t> random_ids(int64_t count, int64_t bound, std::string_view name) {
  Rng rng(1, name);
  std::vector<int32_t> ids(count);
  for (int32_t& id : ids) id = static_cast<int32_t>(rng.below(bound));
  return ids;
}

}  // namespace cria
