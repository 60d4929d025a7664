// The gradient of a step whose batch has several parts: each part's by itself, added in a fixed
// tree, ((g0 + g1) + (g2 + g3)) + ... .
#pragma once

#include <cstdint>
#include <vector>

#include "cria/tensor/arena.h"
#include "cria/tensor/parameters.h"

namespace cria {

class GradientTree {
 public:
  // Gradients that there is memory for besides the parameters' own: log2(parts), rounded up.
  static int64_t planes(int64_t parts);

  GradientTree(Parameters& parameters, int64_t parts);

  // The parameters' gradient is that of the next part. It is put away, and zero for the part after
  // it; after the last part it is the sum of all. Which rows are touched, in any part, is kept.
  void end_part();

 private:
  void add_waiting();

  Parameters* parameters_;
  int64_t parts_, ended_ = 0;
  size_t waiting_ = 0;  // sums that wait for the rest of their pair, in planes_
  std::vector<AlignedBytes> planes_;
};

}  // namespace cria
