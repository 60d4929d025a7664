// One block of memory, planned before it exists: run the same carving code twice, first on a
// measuring arena, then on the allocated one. Nothing is freed singly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>

#include "cria/tensor/tensor.h"

namespace cria {

inline constexpr int64_t kAlignment = 64;  // bytes: a cache line, and an AVX-512 vector

struct AlignedDelete {
  void operator()(void* memory) const;
};
using AlignedBytes = std::unique_ptr<std::byte, AlignedDelete>;

// Zeroed and kAlignment-aligned; Error when the machine does not have that much.
AlignedBytes allocate_aligned(int64_t bytes, const char* what);
// The same, but of a large block only the pages that are written to take memory.
AlignedBytes allocate_untouched(int64_t bytes, const char* what);
// Zeros from now on: whole pages of such a block between these take no memory until they are
// written to again.
void give_back_zeros(float* begin, float* end);

class Arena {
 public:
  // A new arena measures: take() hands out null views that have only their shape. Error for a shape
  // that no machine can hold.
  float* take_floats(int64_t count);
  Tensor take(std::initializer_list<int64_t> shape);
  int32_t* take_ints(int64_t count);
  double* take_doubles(int64_t count);

  // Everything taken so far may be overwritten by what is taken from now on.
  void rewind() { used_ = 0; }

  // Ends measuring: allocates the high-water mark and starts again from the beginning.
  void allocate(const char* what);

  int64_t bytes() const { return high_water_; }

 private:
  AlignedBytes memory_;
  int64_t used_ = 0;
  int64_t high_water_ = 0;
};

}  // namespace cria
