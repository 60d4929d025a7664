// How long work takes, and what many runs of the same work say.
#pragma once

#include <chrono>
#include <vector>

namespace cria {

// The middle one; of an even number the higher of the two.
double median(std::vector<double> values);

// The mean of the last tenth of the values: a single step says little. At least one.
double mean_of_end(const std::vector<double>& values);

// How far values differ: from the first to the third quartile, as a share of the median.
double spread(std::vector<double> values);

// A median, and an interval that holds the median of all values there could be in at least 95 of
// 100 cases: from the k-th smallest to the k-th largest, with the number of values below the median
// binomially distributed. Fewer than six values are too few for that: the interval is all of them.
struct Median {
  double value = 0, low = 0, high = 0;
};
Median median_interval(std::vector<double> values);

// How long work() takes.
template <class Work>
double seconds_of(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace cria
