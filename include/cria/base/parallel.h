// Threads. The only OpenMP in cria stands in parallel.cpp; without OpenMP everything runs on one
// core. Results never depend on the number of threads: a body writes only what its own range owns.
#pragma once

#include <cstdint>

namespace cria {

int max_threads();              // threads that a parallel loop may use
void set_threads(int threads);  // threads >= 1
bool has_openmp();

// Plain function pointers, so that code compiled for another instruction set instantiates nothing
// here. `thread` is in [0, max_threads()).
using RangeBody = void (*)(void* context, int64_t begin, int64_t end, int thread);

// Cuts [0, count) into at most one contiguous range per thread, each of at least `grain` items
// (or all there are). For even work: each thread meets the same range again on every call.
void parallel_ranges(int64_t count, int64_t grain, RangeBody body, void* context);

// Hands single items of [0, count) to whichever thread is free, lowest first. For uneven work.
void parallel_items(int64_t count, RangeBody body, void* context);

// body(begin, end, thread); must not throw.
template <class Body>
void parallel_for(int64_t count, int64_t grain, Body&& body) {
  parallel_ranges(
      count, grain,
      [](void* context, int64_t begin, int64_t end, int thread) {
        (*static_cast<Body*>(context))(begin, end, thread);
      },
      &body);
}

// body(item, thread); must not throw.
template <class Body>
void parallel_tasks(int64_t count, Body&& body) {
  parallel_items(
      count,
      [](void* context, int64_t begin, int64_t, int thread) {
        (*static_cast<Body*>(context))(begin, thread);
      },
      &body);
}

}  // namespace cria
