// Work over a tensor's numbers in chunks: on all threads, in bounded memory, with results put
// together in the order of the chunks.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "base/first_error.h"
#include "cria/base/parallel.h"

namespace cria {

// What a thread converts at a time without asking others to help.
inline constexpr int64_t kChunkNumbers = 1 << 15;

// measure(first, count, thread) gives the part of count items from the first, on any thread;
// merge(part) is called for each in order. A chunk has `chunk` items, the last what is left.
template <class Measure, class Merge>
void for_each_chunk(int64_t items, int64_t chunk, Measure&& measure, Merge&& merge) {
  using Part = decltype(measure(int64_t{}, int64_t{}, 0));
  constexpr int64_t kWindow = 1024;  // chunks whose parts wait to be merged
  const int64_t chunks = items / chunk + (items % chunk != 0);
  std::vector<Part> parts;
  for (int64_t done = 0; done < chunks; done += kWindow) {
    parts.assign(static_cast<size_t>(std::min(kWindow, chunks - done)), Part());
    FirstError error;
    parallel_tasks(static_cast<int64_t>(parts.size()), [&](int64_t i, int thread) {
      error.attempt(i, [&] {
        const int64_t first = (done + i) * chunk;
        parts[static_cast<size_t>(i)] = measure(first, std::min(chunk, items - first), thread);
      });
    });
    error.rethrow();
    for (Part& part : parts) merge(part);
  }
}

// A piece of memory for each thread.
class ThreadBuffers {
 public:
  explicit ThreadBuffers(int64_t numbers) : numbers_(numbers), buffers_(max_threads()) {}

  float* of(int thread) {
    std::vector<float>& buffer = buffers_[static_cast<size_t>(thread)];
    buffer.resize(static_cast<size_t>(numbers_));
    return buffer.data();
  }

 private:
  int64_t numbers_;
  std::vector<std::vector<float>> buffers_;
};

// The sum of term(i) for i in [0, count) as eight partial sums: a fixed order, in which no addition
// waits for the one before.
template <class Term>
double sum_terms(int64_t count, Term&& term) {
  std::array<double, 8> lanes{};
  const int64_t whole = count / 8 * 8;
  for (int64_t i = 0; i < whole; i += 8) {
    for (int64_t lane = 0; lane < 8; ++lane) lanes[static_cast<size_t>(lane)] += term(i + lane);
  }
  for (int64_t i = whole; i < count; ++i) lanes[static_cast<size_t>(i - whole)] += term(i);
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
         ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

template <class Number>
double dot(const Number* x, const Number* y, int64_t count) {
  return sum_terms(
      count, [&](int64_t i) { return static_cast<double>(x[i]) * static_cast<double>(y[i]); });
}

// sqrt(sum_i x_i^2), added in the order of i.
inline double norm_of(std::span<const float> x) {
  double squares = 0;
  for (const float value : x) squares += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(squares);
}

}  // namespace cria
