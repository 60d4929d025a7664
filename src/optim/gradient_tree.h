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

  // rounds: every gradient and sum below the whole tree's is rounded to bf16, as it may be sent;
  // is_whole: no other process has more parts.
  GradientTree(Parameters& parameters, int64_t parts, bool rounds = false, bool is_whole = true);

  // The parameters' gradient is that of the next part. It is put away, and zero for the part after
  // it; after the last part it is the sum of all. Which rows are touched, in any part, is kept.
  void end_part();

 private:
  void add_waiting();
  void finish_sum();

  Parameters* parameters_;
  int64_t parts_, ended_ = 0;
  bool rounds_, is_whole_;
  size_t waiting_ = 0;  // sums that wait for the rest of their pair, in planes_
  std::vector<AlignedBytes> planes_;
};

}  // namespace cria
