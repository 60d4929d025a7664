// What the machine can do at most: what speeds are measured against.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "cria/kernels/kernels.h"

namespace cria {

std::string processor_name();  // "unknown" where the system does not say
int64_t peak_rss_bytes();      // the most memory this process has had so far

// FLOP/s of multiply-adds in registers, on all threads at once, with the kernels in use: the best
// of a few short runs, since other work on the machine only lowers it. Takes about 50 ms.
double measure_peak_flops(Precision precision);

// The same, measured at the first call only.
double peak_flops(Precision precision);

struct Peaks {
  double fp32, bf16;  // FLOP/s
  double of(Precision precision) const { return precision == Precision::bf16 ? bf16 : fp32; }
};
Peaks measure_peaks();

// Bytes/s of x += a y over arrays far larger than the caches, on all threads at once: per element
// 8 bytes read and 4 written. Takes 256 MiB for the time of the call; Error when they are not
// there.
double measure_bandwidth();

// The middle one; of an even number the higher of the two.
double median(std::vector<double> values);

// How long work() takes.
template <class Work>
double seconds_of(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace cria
