#include "cria/tensor/arena.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

namespace cria {
namespace {

int64_t round_up(int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

void AlignedDelete::operator()(void* memory) const {
  std::free(memory);
}

AlignedBytes allocate_aligned(int64_t bytes, const char* what) {
  const int64_t size = std::max(round_up(bytes), kAlignment);
  AlignedBytes memory(static_cast<std::byte*>(std::aligned_alloc(kAlignment, size)));
  if (!memory) {
    throw Error("out of memory", {.where = what,
                                  .got = "no " + std::to_string(size >> 20) + " MiB to be had",
                                  .hint = "make the batch, the sequence or the model smaller"});
  }
  std::memset(memory.get(), 0, size);
  return memory;
}

float* Arena::take_floats(int64_t count) {
  const int64_t begin = used_;
  used_ += round_up(count * static_cast<int64_t>(sizeof(float)));
  if (!memory_) {
    high_water_ = std::max(high_water_, used_);
    return nullptr;
  }
  if (used_ > high_water_) {
    throw Error("the arena was carved larger than it was measured", {.where = "Arena::take"});
  }
  return reinterpret_cast<float*>(memory_.get() + begin);
}

Tensor Arena::take(std::initializer_list<int64_t> shape) {
  Tensor view(nullptr, shape);
  view.data = take_floats(view.size());
  return view;
}

void Arena::allocate(const char* what) {
  memory_ = allocate_aligned(high_water_, what);
  used_ = 0;
}

}  // namespace cria
