// The machine: its processor, the memory this process had, and who else was using it.
#pragma once

#include <cstdint>
#include <set>
#include <string>

namespace cria {

std::string processor_name();  // "unknown" where the system does not say

int64_t peak_rss_bytes();  // the most memory this process has had so far
void forget_peak_rss();    // from now on, that is; does nothing where the system (macOS) cannot

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

// What others took from work on so many threads. Processors that these leave free do not count.
Interference interference(const ProcessorTimes& before, const ProcessorTimes& after, int threads);

// How many processors others left free between the two moments; infinity where nobody knows.
double free_processors(const ProcessorTimes& before, const ProcessorTimes& after);

// Why times say little of what the machine can do: "other processes took 41% of its time". "" when
// they do: with at most 5% of either interference, and a spread (see below) of at most 10% between
// runs of the same work.
std::string busy_reason(const Interference& interference, double spread);

}  // namespace cria
