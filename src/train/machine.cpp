#include "cria/train/machine.h"

#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <new>

#include "cria/base/error.h"
#include "cria/base/parallel.h"

namespace cria {
namespace {

constexpr int kRuns = 5;
constexpr double kRunSeconds = 0.005;         // at least; at most about twice that
constexpr int64_t kSweep = int64_t{1} << 25;  // floats in each of two arrays: 128 MiB

// Every thread does that many rounds; the operations done by all together.
double multiply_add(Precision precision, int64_t rounds) {
  const int threads = max_threads();
  std::vector<double> operations(static_cast<size_t>(threads));
  parallel_for(threads, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      operations[static_cast<size_t>(i)] = kernels().multiply_add_loop(precision, rounds);
    }
  });
  double total = 0;
  for (const double each : operations) total += each;
  return total;
}

// Not touched yet: a page belongs to the processor that first writes to it.
std::unique_ptr<float[]> untouched(int64_t count) {
  std::unique_ptr<float[]> memory(new (std::nothrow) float[static_cast<size_t>(count)]);
  if (!memory) throw Error("out of memory", {.where = "measuring the memory's bandwidth"});
  return memory;
}

}  // namespace

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

int64_t peak_rss_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
  return usage.ru_maxrss;
#else
  return usage.ru_maxrss * 1024;
#endif
}

double measure_peak_flops(Precision precision) {
  int64_t rounds = 1 << 12;
  // Also wakes the threads, and the processor from its slower clocks.
  while (seconds_of([&] { multiply_add(precision, rounds); }) < kRunSeconds) rounds *= 2;
  std::vector<double> speeds;
  for (int run = 0; run < kRuns; ++run) {
    double operations = 0;
    const double seconds = seconds_of([&] { operations = multiply_add(precision, rounds); });
    speeds.push_back(operations / seconds);
  }
  return median(speeds);
}

double peak_flops(Precision precision) {
  if (precision == Precision::bf16) {
    static const double bf16 = measure_peak_flops(Precision::bf16);
    return bf16;
  }
  static const double fp32 = measure_peak_flops(Precision::fp32);
  return fp32;
}

Peaks measure_peaks() {
  return {measure_peak_flops(Precision::fp32), measure_peak_flops(Precision::bf16)};
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
  return median(speeds);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace cria
