#include "optim/gradient_tree.h"

#include <algorithm>
#include <bit>

#include "base/bf16.h"
#include "cria/base/parallel.h"
#include "cria/kernels/kernels.h"

namespace cria {
namespace {

float* floats(const AlignedBytes& plane) {
  return reinterpret_cast<float*>(plane.get());
}

}  // namespace

int64_t GradientTree::planes(int64_t parts) {
  return std::bit_width(static_cast<uint64_t>(parts - 1));
}

GradientTree::GradientTree(Parameters& parameters, int64_t parts, bool rounds, bool is_whole)
    : parameters_(&parameters), parts_(parts), rounds_(rounds), is_whole_(is_whole) {
  const int64_t bytes = parameters.plane_size() * static_cast<int64_t>(sizeof(float));
  for (int64_t i = 0; i < planes(parts); ++i) {
    planes_.push_back(allocate_aligned(bytes, "gradients of parts"));
  }
}

void GradientTree::add_waiting() {
  kernels().add_rows_sum(1, parameters_->plane_size(), floats(planes_[--waiting_]),
                         parameters_->grad());
  finish_sum();
}

void GradientTree::finish_sum() {
  const bool is_root = is_whole_ && ended_ == parts_ && waiting_ == 0;
  if (!rounds_ || is_root) return;
  float* const sum = parameters_->grad();
  compute_for(parameters_->plane_size(), kGrain,
              [&](int64_t begin, int64_t end, int) { round_to_bf16(sum + begin, end - begin); });
}

// As a binary counter: after part 2^k every pair that is complete is added up.
void GradientTree::end_part() {
  ++ended_;
  finish_sum();
  for (int64_t ended = ended_; ended % 2 == 0; ended /= 2) add_waiting();
  if (ended_ == parts_) {
    while (waiting_ > 0) add_waiting();
    ended_ = 0;
    return;
  }
  float* const sum = parameters_->grad();
  float* const away = floats(planes_[waiting_++]);
  compute_for(parameters_->plane_size(), kGrain, [&](int64_t begin, int64_t end, int) {
    std::copy(sum + begin, sum + end, away + begin);
    std::fill(sum + begin, sum + end, 0.0f);
  });
}

}  // namespace cria
