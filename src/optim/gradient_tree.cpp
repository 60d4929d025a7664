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
    : parameters_(&parameters),
      open_(parameters.plane_size()),
      rounds_(rounds),
      is_whole_(is_whole) {
  const int64_t bytes = parameters.plane_size() * static_cast<int64_t>(sizeof(float));
  for (int64_t i = 0; i < planes(parts); ++i) {
    planes_.push_back(allocate_aligned(bytes, "gradients of parts"));
  }
}

void GradientTree::add_waiting(size_t plane, bool is_root, int64_t from, int64_t to) {
  kernels().add_rows_sum(1, to - from, floats(planes_[plane]) + from, parameters_->grad() + from);
  finish_sum(is_root, from, to);
}

void GradientTree::finish_sum(bool is_root, int64_t from, int64_t to) {
  if (!rounds_ || is_root) return;
  float* const sum = parameters_->grad() + from;
  compute_for(to - from, kGrain,
              [&](int64_t begin, int64_t end, int) { round_to_bf16(sum + begin, end - begin); });
}

// As a binary counter: after part 2^k every pair that is complete is added up.
void GradientTree::end_part() {
  const int64_t size = parameters_->plane_size();
  ++ended_;
  finish_sum(false, 0, size);
  for (int64_t ended = ended_; ended % 2 == 0; ended /= 2) {
    add_waiting(--waiting_, false, 0, size);
  }
  float* const sum = parameters_->grad();
  float* const away = floats(planes_[waiting_++]);
  compute_for(size, kGrain, [&](int64_t begin, int64_t end, int) {
    std::copy(sum + begin, sum + end, away + begin);
    std::fill(sum + begin, sum + end, 0.0f);
  });
}

// All that waits is added, the youngest first.
void GradientTree::end_last_part(int64_t from) {
  finish_sum(is_whole_ && waiting_ == 0, from, open_);
  for (size_t plane = waiting_; plane-- > 0;) {
    add_waiting(plane, is_whole_ && plane == 0, from, open_);
  }
  open_ = from;
  if (from > 0) return;
  open_ = parameters_->plane_size();
  waiting_ = 0;
  ended_ = 0;
}

}  // namespace cria
