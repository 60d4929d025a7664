#include "cria/tensor/arena.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#ifdef __linux__
#include <sys/mman.h>
#include <unistd.h>
#endif

#include "cria/base/parallel.h"

namespace cria {
namespace {

int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}
int64_t round_up(int64_t bytes, int64_t unit) {
  return ceil_div(bytes, unit) * unit;
}

}  // namespace

void AlignedDelete::operator()(void* memory) const {
  std::free(memory);
}

namespace {

constexpr int64_t kLargePage = 2 << 20;

AlignedBytes allocate(int64_t alignment, int64_t size, const char* what) {
  AlignedBytes memory(static_cast<std::byte*>(std::aligned_alloc(alignment, size)));
  if (memory) return memory;
  throw Error("out of memory", {.where = what,
                                .expected = std::to_string(size >> 20) + " MiB of free memory",
                                .hint = "make the batch, the sequence or the model smaller"});
}

}  // namespace

AlignedBytes allocate_aligned(int64_t bytes, const char* what) {
  // Rows that a kernel reads one after another may be far apart: with large pages their addresses
  // need fewer translations.
  const bool large = bytes >= 2 * kLargePage;
  const int64_t alignment = large ? kLargePage : kAlignment;
  const int64_t size = round_up(std::max<int64_t>(bytes, 1), alignment);
  AlignedBytes memory = allocate(alignment, size, what);
#ifdef MADV_HUGEPAGE
  if (large) madvise(memory.get(), size, MADV_HUGEPAGE);
#endif
  // A page lies near the core that touches it first: each thread its part.
  parallel_for(ceil_div(bytes, kLargePage), 1, [&](int64_t begin, int64_t end, int) {
    std::memset(memory.get() + begin * kLargePage, 0,
                std::min(end * kLargePage, bytes) - begin * kLargePage);
  });
  return memory;
}

AlignedBytes allocate_untouched(int64_t bytes, const char* what) {
  const int64_t size = round_up(std::max<int64_t>(bytes, 1), kLargePage);
  AlignedBytes memory = allocate(kLargePage, size, what);
#ifdef __linux__
  madvise(memory.get(), size, MADV_NOHUGEPAGE);  // a large page comes whole
#endif
  // Memory that was used before is not zero.
  float* const begin = reinterpret_cast<float*>(memory.get());
  give_back_zeros(begin, begin + size / static_cast<int64_t>(sizeof(float)));
  return memory;
}

void give_back_zeros(float* begin, float* end) {
#ifdef __linux__
  // In floats, as all that follows.
  static const int64_t page = sysconf(_SC_PAGESIZE) / static_cast<int64_t>(sizeof(float));
  const auto beyond_page = [](const float* place) {
    return static_cast<int64_t>(reinterpret_cast<uintptr_t>(place) / sizeof(float)) % page;
  };
  const int64_t before = (page - beyond_page(begin)) % page;
  const int64_t whole_pages = end - begin - before - beyond_page(end);
  // Such pages come as zeros when they are touched.
  if (whole_pages > 0 && madvise(begin + before, whole_pages * sizeof(float), MADV_DONTNEED) == 0) {
    begin = std::fill_n(begin, before, 0.0f) + whole_pages;
  }
#endif
  std::fill(begin, end, 0.0f);
}

float* Arena::take_floats(int64_t count) {
  const int64_t begin = used_;
  used_ += round_up(count * static_cast<int64_t>(sizeof(float)), kAlignment);
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
  // Far beyond any machine, and sizes in bytes are still exact.
  constexpr double kMostFloats = 1e15;
  double floats = 1;
  for (const int64_t size : shape) floats *= size < 0 ? kMostFloats : static_cast<double>(size);
  if (floats >= kMostFloats) {
    throw_shape_error("memory for a tensor", "less than 10^15 numbers", shape_string(shape));
  }
  Tensor view(nullptr, shape);
  view.data = take_floats(view.size());
  return view;
}

int32_t* Arena::take_ints(int64_t count) {
  static_assert(sizeof(int32_t) == sizeof(float));
  return reinterpret_cast<int32_t*>(take_floats(count));
}

double* Arena::take_doubles(int64_t count) {
  static_assert(sizeof(double) == 2 * sizeof(float));
  return reinterpret_cast<double*>(take_floats(2 * count));
}

void Arena::allocate(const char* what) {
  memory_ = allocate_aligned(high_water_, what);
  used_ = 0;
}

}  // namespace cria
