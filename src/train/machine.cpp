#include "cria/train/machine.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <new>
#include <numeric>
#include <sstream>

#include "cria/base/error.h"
#include "cria/base/number.h"
#include "cria/base/parallel.h"

namespace cria {
namespace {

// What a machine does by itself, and what a clock may vary, stays below.
constexpr double kBusy = 0.05, kRestless = 0.1;
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

// Not touched yet: a page belongs to the processor that first writes to it.
std::unique_ptr<float[]> untouched(int64_t count) {
  std::unique_ptr<float[]> memory(new (std::nothrow) float[static_cast<size_t>(count)]);
  if (!memory) throw Error("out of memory", {.where = "measuring the memory's bandwidth"});
  return memory;
}

rusage own_usage() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage;
}

double seconds_in(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

std::set<int64_t> allowed_processors() {
  std::set<int64_t> numbers;
#ifdef __linux__
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
    for (int i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(i, &allowed)) numbers.insert(i);
    }
  }
#endif
  return numbers;
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
  const rusage usage = own_usage();
#ifdef __APPLE__
  return usage.ru_maxrss;
#else
  return usage.ru_maxrss * 1024;
#endif
}

void forget_peak_rss() {
#ifdef __GLIBC__
  ::malloc_trim(0);  // what was freed is no more in use
#endif
  std::ofstream("/proc/self/clear_refs") << 5;
}

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

ProcessorTimes parse_processor_times(const std::string& stat, double ticks_per_second,
                                     const std::set<int64_t>& mine) {
  ProcessorTimes times;
  std::istringstream lines(stat);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string name;
    int64_t number = 0;
    // "cpu" alone is their sum.
    if (!(fields >> name) || !name.starts_with("cpu") || !parse_number(name.substr(3), number))
      continue;
    double user, nice, system, idle, waiting, interrupts, soft_interrupts, stolen;
    fields >> user >> nice >> system >> idle >> waiting >> interrupts >> soft_interrupts >> stolen;
    if (!fields || (!mine.empty() && !mine.contains(number))) continue;
    ++times.processors;
    times.busy += (user + nice + system + interrupts + soft_interrupts) / ticks_per_second;
    times.stolen += stolen / ticks_per_second;
  }
  return times;
}

ProcessorTimes processor_times() {
  // Asked once, before a runtime of threads binds this one to a single processor.
  static const std::set<int64_t> mine = allowed_processors();
  std::ostringstream stat;
  stat << std::ifstream("/proc/stat").rdbuf();
  ProcessorTimes times =
      parse_processor_times(stat.str(), static_cast<double>(::sysconf(_SC_CLK_TCK)), mine);
  const rusage usage = own_usage();
  times.own = seconds_in(usage.ru_utime) + seconds_in(usage.ru_stime);
  times.clock =
      std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  return times;
}

Interference interference(const ProcessorTimes& before, const ProcessorTimes& after, int threads) {
  if (after.processors == 0) return {};
  const double clock = after.clock - before.clock;
  const double used = std::min(threads, after.processors);
  const double others = (after.busy - before.busy) - (after.own - before.own);
  const double free = (after.processors - used) * clock;
  const auto share = [&](double seconds) { return std::clamp(seconds / (used * clock), 0.0, 1.0); };
  return {share(others - free), share(after.stolen - before.stolen)};
}

std::string busy_reason(const Interference& interference, double spread) {
  const auto percent = [](double share) { return std::to_string(std::lround(100 * share)) + "%"; };
  if (interference.others > kBusy) {
    return "other processes took " + percent(interference.others) + " of its time";
  }
  if (interference.stolen > kBusy) {
    return "its host gave " + percent(interference.stolen) + " of its time to others";
  }
  if (spread > kRestless) return "runs of the same work differ by " + percent(spread);
  return "";
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

double spread(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t n = values.size();
  return (values[3 * n / 4] - values[n / 4]) / values[n / 2];
}

Median median_interval(std::vector<double> values) {
  constexpr double kBeyond = 0.025;  // on either side
  std::ranges::sort(values);
  const double n = static_cast<double>(values.size());
  // The most for which that few values or fewer are below the median with no more probability.
  size_t skipped = 0;
  for (double i = 0, below = 0; i < n; ++i) {
    below += std::exp(std::lgamma(n + 1) - std::lgamma(i + 1) - std::lgamma(n - i + 1) -
                      n * std::log(2.0));
    if (below > kBeyond) break;
    skipped = static_cast<size_t>(i);
  }
  return {values[values.size() / 2], values[skipped], values[values.size() - 1 - skipped]};
}

}  // namespace cria
