#include "base/machine.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>

#include "base/number.h"

namespace cria {
namespace {

// What a machine does by itself, and what a clock may vary, stays below.
constexpr double kBusy = 0.05, kRestless = 0.1;

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

double others_seconds(const ProcessorTimes& before, const ProcessorTimes& after) {
  return (after.busy - before.busy) - (after.own - before.own);
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
  const double others = others_seconds(before, after);
  const double free = (after.processors - used) * clock;
  const auto share = [&](double seconds) { return std::clamp(seconds / (used * clock), 0.0, 1.0); };
  return {share(others - free), share(after.stolen - before.stolen)};
}

double free_processors(const ProcessorTimes& before, const ProcessorTimes& after) {
  if (after.processors == 0) return std::numeric_limits<double>::infinity();
  const double others = others_seconds(before, after) + (after.stolen - before.stolen);
  return after.processors - others / (after.clock - before.clock);
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

}  // namespace cria
