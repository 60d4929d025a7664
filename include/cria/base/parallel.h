// Threads. The only OpenMP in cria stands in parallel.cpp; without OpenMP everything runs on one
// core. Results never depend on the number of threads, nor on which of them does what: a body
// writes only what its own items own.
//
// Any thread may call these functions: loops of several callers run one after another, and a loop
// inside a loop runs on the thread that meets it.
#pragma once

#include <cstdint>

namespace cria {

// Threads that a parallel loop may use: what set_threads or OMP_NUM_THREADS says, otherwise the
// processors that this process may use (its affinity and the quota of its cgroup).
int max_threads();
void set_threads(int threads);  // threads >= 1

// From now on loops use at most so many of them; those left out sleep. Unlike set_threads it
// changes no max_threads(), so that what has room for one thread each stays valid.
void limit_threads(int threads);  // 0: no limit
bool has_openmp();

// Plain function pointers, so that code compiled for another instruction set instantiates nothing
// here. `thread` is in [0, max_threads()), and no two that run at the same time share one.
using RangeBody = void (*)(void* context, int64_t begin, int64_t end, int thread);

// What becomes of numbers too small to be normal (below 2^-126), which some processors compute a
// hundred times as slowly: kept, or taken as 0 and left as 0. What the calling thread did with them
// before, it does after the loop.
enum class Denormals { kept, flushed };

// Work on this many numbers, a few operations for each, is worth waking a thread for.
inline constexpr int64_t kGrain = 4096;

// Hands ranges of [0, count) of at least `grain` items (or all there are) to the threads. Each has
// a share of its own, the same on every call, and takes ranges from the others' shares when it is
// done with that.
void parallel_ranges(int64_t count, int64_t grain, Denormals denormals, RangeBody body,
                     void* context);

// Hands single items of [0, count) to whichever thread is free, lowest first. For uneven work.
void parallel_items(int64_t count, Denormals denormals, RangeBody body, void* context);

// Runs body(context, 0, 1, 0) on the calling thread, while others may run a loop.
void run_here(RangeBody body, void* context);

namespace detail {

template <class Body>
void run_range(void* context, int64_t begin, int64_t end, int thread) {
  (*static_cast<Body*>(context))(begin, end, thread);
}
template <class Body>
void run_item(void* context, int64_t begin, int64_t, int thread) {
  (*static_cast<Body*>(context))(begin, thread);
}

}  // namespace detail

// body(begin, end, thread); must not throw.
template <class Body>
void parallel_for(int64_t count, int64_t grain, Body&& body) {
  parallel_ranges(count, grain, Denormals::kept, detail::run_range<Body>, &body);
}

// body(item, thread); must not throw.
template <class Body>
void parallel_tasks(int64_t count, Body&& body) {
  parallel_items(count, Denormals::kept, detail::run_item<Body>, &body);
}

// The same for the arithmetic of a model.
template <class Body>
void compute_for(int64_t count, int64_t grain, Body&& body) {
  parallel_ranges(count, grain, Denormals::flushed, detail::run_range<Body>, &body);
}
template <class Body>
void compute_tasks(int64_t count, Body&& body) {
  parallel_items(count, Denormals::flushed, detail::run_item<Body>, &body);
}
// body() on this thread, and the loops in it too: it does not take turns with the loops of others,
// and may not use what those keep for each thread.
template <class Body>
void compute_here(Body&& body) {
  auto item = [&](int64_t, int) { body(); };
  run_here(detail::run_item<decltype(item)>, &item);
}

}  // namespace cria
