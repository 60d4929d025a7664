// A data mixture: several sources read as one sequence, each as often as its weight says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace cria {

// Positions 0, 1, 2, ... are shared out without chance and without state: which source a position
// belongs to, and how many of that source came before it, follow from the position alone. Of S
// sources and the first n positions, for any n, a source has its share of n within max(1/2,
// (S - 1)/2), so two or three sources within one, and every source has its indices 0, 1, 2, ... in
// order.
class Interleaving {
 public:
  // Of the weights only the ratios count, in 2^-32. Error unless there are some, each above 0.
  explicit Interleaving(std::span<const double> weights);

  struct Place {
    size_t source;
    uint64_t index;  // positions of that source before this one
  };
  // O(sources), exact for every position below 2^63.
  Place at(uint64_t position) const;

 private:
  // Each source's part, in 2^-32, of the positions that those before it leave; the last takes all.
  std::vector<uint64_t> shares_;
};

}  // namespace cria
