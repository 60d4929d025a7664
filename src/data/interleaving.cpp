#include "cria/data/interleaving.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cria/base/error.h"

namespace cria {
namespace {

constexpr uint64_t kOne = uint64_t{1} << 32;

// position * share / 2^32, rounded to nearest, in two halves so that no product exceeds 64 bits.
uint64_t rounded_share(uint64_t position, uint64_t share) {
  const uint64_t high = position >> 32, low = position % kOne;
  return high * share + ((low * share + kOne / 2) >> 32);
}

}  // namespace

Interleaving::Interleaving(std::span<const double> weights) {
  const bool fit = std::ranges::all_of(
      weights, [](double weight) { return weight > 0 && std::isfinite(weight); });
  if (weights.empty() || !fit) {
    throw Error("not possible", {.where = "weights of a data mixture",
                                 .expected = "one or several, each above 0 and finite"});
  }
  double left = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (const double weight : weights.first(weights.size() - 1)) {
    const double share = std::round(weight / left * static_cast<double>(kOne));
    shares_.push_back(static_cast<uint64_t>(std::clamp(share, 1.0, static_cast<double>(kOne - 1))));
    left -= weight;
  }
}

// With w of 2^32 as its share, the first source has round(n w / 2^32) of the first n positions: it
// takes position p when that grows from p to p + 1. The others share the remaining positions,
// numbered anew, in the same way.
Interleaving::Place Interleaving::at(uint64_t position) const {
  size_t source = 0;
  for (; source < shares_.size(); ++source) {
    const uint64_t taken = rounded_share(position, shares_[source]);
    if (rounded_share(position + 1, shares_[source]) > taken) return {source, taken};
    position -= taken;
  }
  return {source, position};
}

}  // namespace cria
