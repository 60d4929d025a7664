// What the machine can do at most, which speeds are measured against.
#pragma once

#include <vector>

#include "cria/kernels/kernels.h"

namespace cria {

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

}  // namespace cria
