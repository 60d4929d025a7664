// What the machine can do at most, which speeds are measured against, and who else was using it.
#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "cria/kernels/kernels.h"

namespace cria {

std::string processor_name();  // "unknown" where the system does not say

int64_t peak_rss_bytes();  // the most memory this process has had so far
void forget_peak_rss();    // from now on, that is; does nothing where the system (macOS) cannot

// FLOP/s of multiply-adds in registers, on all threads at once, with the kernels in use: the best
// of a few short runs, since other work on the machine only lowers it. Takes about 50 ms.
double measure_peak_flops(Precision precision);

// The same, measured at the first call only.
double peak_flops(Precision precision);

// FLOP/s of each of those runs.
struct PeakRuns {
  std::vector<double> fp32, bf16;

  double best(Precision precision) const;
  void append(const PeakRuns& later);
};
PeakRuns measure_peaks();

// Bytes/s of x += a y over arrays far larger than the caches, on all threads at once: per element
// 8 bytes read and 4 written. Takes 256 MiB for the time of the call; Error when they are not
// there.
double measure_bandwidth();

// What the processors did up to some moment, in seconds.
struct ProcessorTimes {
  int processors = 0;  // that this process may run on; 0: the system (macOS) does not say
  double busy = 0;     // time in which they ran any process, summed over them
  double stolen = 0;   // time that the host of this virtual machine gave to others instead
  double own = 0;      // time in which they ran this process
  double clock = 0;    // time itself
};
ProcessorTimes processor_times();

// processors, busy and stolen from the text of Linux's /proc/stat, whose clock ticks so often, for
// the processors whose number is in `mine`; of all when that is empty.
ProcessorTimes parse_processor_times(const std::string& stat, double ticks_per_second,
                                     const std::set<int64_t>& mine);

// What work could not have of its processors, as shares of their time from 0 to 1.
struct Interference {
  double others = 0;  // other processes had it
  double stolen = 0;  // other virtual machines had it
};

// Of work on so many threads. What others do on processors that these threads leave free is none.
Interference interference(const ProcessorTimes& before, const ProcessorTimes& after, int threads);

// Why times say little of what the machine can do: "other processes took 41% of its time". "" when
// they do: with at most 5% of either interference, and a spread (see below) of at most 10% between
// runs of the same work.
std::string busy_reason(const Interference& interference, double spread);

// The middle one; of an even number the higher of the two.
double median(std::vector<double> values);

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
