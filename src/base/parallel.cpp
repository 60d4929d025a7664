#include "cria/base/parallel.h"

#include <algorithm>
#include <atomic>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace cria {

#ifdef _OPENMP

int max_threads() {
  return omp_get_max_threads();
}
void set_threads(int threads) {
  omp_set_num_threads(threads);
}
bool has_openmp() {
  return true;
}

void parallel_ranges(int64_t count, int64_t grain, RangeBody body, void* context) {
  const int64_t ranges = std::min<int64_t>(max_threads(), count / grain);
  if (ranges <= 1) {
    if (count > 0) body(context, 0, count, 0);
    return;
  }
#pragma omp parallel num_threads(static_cast <int>(ranges))
  {
    // The runtime may give fewer threads than asked for; the ranges follow what it gave.
    const int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
    const int64_t begin = count * thread / threads, end = count * (thread + 1) / threads;
    if (begin < end) body(context, begin, end, static_cast<int>(thread));
  }
}

void parallel_items(int64_t count, RangeBody body, void* context) {
  const int64_t threads = std::min<int64_t>(max_threads(), count);
  if (threads <= 1) {
    for (int64_t i = 0; i < count; ++i) body(context, i, i + 1, 0);
    return;
  }
  // Not OpenMP's dynamic schedule, for which some runtimes allocate memory in every loop.
  std::atomic<int64_t> next{0};
#pragma omp parallel num_threads(static_cast <int>(threads))
  for (int64_t i = next++; i < count; i = next++) body(context, i, i + 1, omp_get_thread_num());
}

#else

int max_threads() {
  return 1;
}
void set_threads(int) {}
bool has_openmp() {
  return false;
}

void parallel_ranges(int64_t count, int64_t, RangeBody body, void* context) {
  if (count > 0) body(context, 0, count, 0);
}

void parallel_items(int64_t count, RangeBody body, void* context) {
  for (int64_t i = 0; i < count; ++i) body(context, i, i + 1, 0);
}

#endif

}  // namespace cria
