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

  // The parameters' gradient is that of the next part, and not of the last. It is put away, and
  // zero for the part after it. Which rows are touched, in any part, is kept.
  void end_part();
  // The last part's gradient is there from this offset of the plane on, and becomes the sum of all
  // parts'. To be called with ever smaller offsets, down to 0.
  void end_last_part(int64_t from);

 private:
  void add_waiting(size_t plane, bool is_root, int64_t from, int64_t to);
  void finish_sum(bool is_root, int64_t from, int64_t to);

  Parameters* parameters_;
  int64_t ended_ = 0;  // parts
  int64_t open_;       // of the last part: what is before this offset
  bool rounds_, is_whole_;
  size_t waiting_ = 0;  // sums that wait for the rest of their pair, in planes_
  std::vector<AlignedBytes> planes_;
};

}  // namespace cria
