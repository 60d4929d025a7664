#include "kernels/peak.h"

#include <algorithm>
#include <memory>
#include <new>
#include <numeric>

#include "base/timing.h"
#include "cria/base/error.h"
#include "cria/base/parallel.h"

namespace cria {
namespace {

constexpr int kRuns = 7;
constexpr double kRunSeconds = 0.006;
constexpr int64_t kRounds = 4096;             // a few microseconds, far less than a run
constexpr int64_t kSweep = int64_t{1} << 25;  // floats in each of two arrays: 128 MiB

// Each thread by its own clock: on a machine with other work, one may start late.
double run_multiply_adds(Precision precision) {
  std::vector<double> speeds(static_cast<size_t>(max_threads()));
  parallel_for(max_threads(), 1, [&](int64_t, int64_t, int thread) {
    double operations = 0, seconds = 0;
    while (seconds < kRunSeconds) {
      seconds += seconds_of([&] { operations += kernels().multiply_add_loop(precision, kRounds); });
    }
    speeds[static_cast<size_t>(thread)] = operations / seconds;
  });
  return std::accumulate(speeds.begin(), speeds.end(), 0.0);
}

std::vector<double> multiply_add_runs(Precision precision) {
  // Wakes the threads, and the processor from its slower clocks.
  run_multiply_adds(precision);
  std::vector<double> speeds;
  for (int run = 0; run < kRuns; ++run) speeds.push_back(run_multiply_adds(precision));
  return speeds;
}

// The memory is not touched yet: a page belongs to the processor that first writes to it.
std::unique_ptr<float[]> untouched(int64_t count) {
  std::unique_ptr<float[]> memory(new (std::nothrow) float[static_cast<size_t>(count)]);
  if (!memory) throw Error("out of memory", {.where = "measuring the memory's bandwidth"});
  return memory;
}

}  // namespace

double measure_peak_flops(Precision precision) {
  return std::ranges::max(multiply_add_runs(precision));
}

double peak_flops(Precision precision) {
  if (precision == Precision::bf16) {
    static const double bf16 = measure_peak_flops(Precision::bf16);
    return bf16;
  }
  static const double fp32 = measure_peak_flops(Precision::fp32);
  return fp32;
}

double PeakRuns::best(Precision precision) const {
  return std::ranges::max(precision == Precision::bf16 ? bf16 : fp32);
}

void PeakRuns::append(const PeakRuns& later) {
  fp32.insert(fp32.end(), later.fp32.begin(), later.fp32.end());
  bf16.insert(bf16.end(), later.bf16.begin(), later.bf16.end());
}

PeakRuns measure_peaks() {
  return {multiply_add_runs(Precision::fp32), multiply_add_runs(Precision::bf16)};
}

double measure_bandwidth() {
  const std::unique_ptr<float[]> x = untouched(kSweep), y = untouched(kSweep);
  const auto sweep = [&](auto&& element) {
    parallel_for(kSweep, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) element(x[i], y[i]);
    });
  };
  sweep([](float& to, float& from) {
    to = 0.0f;
    from = 1.0f;
  });
  std::vector<double> speeds;
  for (int run = 0; run < kRuns; ++run) {
    const double seconds =
        seconds_of([&] { sweep([](float& to, const float& from) { to += 0.5f * from; }); });
    speeds.push_back(12.0 * static_cast<double>(kSweep) / seconds);
  }
  return std::ranges::max(speeds);
}

}  // namespace cria
