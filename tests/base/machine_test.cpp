// The machine: figures that nobody knows beforehand, but that must fit each other.
#include "base/machine.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <fstream>
#include <vector>

namespace cria {
namespace {

TEST(Machine, TheProcessorHasAName) {
  const std::string name = processor_name();
  EXPECT_FALSE(name.empty());
  EXPECT_EQ(name.find_first_of("\n\t"), std::string::npos);
}

TEST(Machine, PeakMemoryCoversWhatWasTouched) {
  const int64_t before = peak_rss_bytes();
  EXPECT_GT(before, 0);
  const std::vector<char> touched(static_cast<size_t>(before) + (16 << 20), 1);
  EXPECT_GE(peak_rss_bytes(), static_cast<int64_t>(touched.size()));
}

TEST(Machine, PeakMemoryIsForgotten) {
  std::fstream forgets("/proc/self/clear_refs", std::ios::out);
  if (!forgets) GTEST_SKIP() << "the system does not forget it";
  const size_t bytes = static_cast<size_t>(peak_rss_bytes()) + (16 << 20);
  void* const memory =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  std::memset(memory, 1, bytes);
  const int64_t before = peak_rss_bytes();
  ::munmap(memory, bytes);
  EXPECT_GE(peak_rss_bytes(), before);
  forget_peak_rss();
  EXPECT_LT(peak_rss_bytes(), before);
}

// --- who else is there

constexpr const char* kStat =
    "cpu  1500 20 300 5000 600 7 80 90 10 11\n"
    "cpu0 100 20 30 400 50 6 7 8 9 10\n"
    "cpu1 1000 200 300 4000 500 60 70 80 90 100\n"
    "intr 12345 0 0\n"
    "cpu17 1 0 0 0 0 0 0 3 0 0\n"
    "cpufreq 1 2 3 4 5 6 7 8\n"
    "cpu18 1 0 0\n"
    "ctxt 99\n";

TEST(Machine, ProcessorsTimes) {
  const ProcessorTimes all = parse_processor_times(kStat, 100, {});
  EXPECT_EQ(all.processors, 3);
  EXPECT_DOUBLE_EQ(all.busy, 0.01 * (163 + 1630 + 1));  // neither idle nor waiting nor stolen
  EXPECT_DOUBLE_EQ(all.stolen, 0.01 * (8 + 80 + 3));
  const ProcessorTimes mine = parse_processor_times(kStat, 10, {0, 17, 18, 99});
  EXPECT_EQ(mine.processors, 2);
  EXPECT_DOUBLE_EQ(mine.busy, 0.1 * (163 + 1));
  EXPECT_DOUBLE_EQ(mine.stolen, 0.1 * (8 + 3));
  EXPECT_EQ(parse_processor_times("", 100, {}).processors, 0);
}

TEST(Machine, OwnTimePasses) {
  const ProcessorTimes before = processor_times();
  while (processor_times().own < before.own + 0.1) {
  }
  const ProcessorTimes after = processor_times();
  EXPECT_EQ(after.processors, before.processors);
  EXPECT_GT(after.clock, before.clock);
  if (after.busy == 0) GTEST_SKIP() << "the system does not say what processors do";
  EXPECT_GT(after.busy, before.busy);
}

// 10 s on four processors: this process had 15 s of them.
ProcessorTimes after_ten_seconds(double others, double stolen) {
  return {.processors = 4,
          .busy = 100 + 15 + others,
          .stolen = 7 + stolen,
          .own = 3 + 15,
          .clock = 1000 + 10};
}

TEST(Machine, InterferenceIsOnTheProcessorsInUse) {
  const ProcessorTimes before = {
      .processors = 4, .busy = 100, .stolen = 7, .own = 3, .clock = 1000};
  const auto of = [&](double others, double stolen, int threads) {
    return interference(before, after_ten_seconds(others, stolen), threads);
  };
  EXPECT_DOUBLE_EQ(of(10, 0, 4).others, 10.0 / 40);
  EXPECT_DOUBLE_EQ(of(10, 2, 4).stolen, 2.0 / 40);
  EXPECT_DOUBLE_EQ(of(10, 0, 9).others, 10.0 / 40);  // more threads than processors
  EXPECT_DOUBLE_EQ(of(20, 0, 2).others, 0);          // two processors were free for them
  EXPECT_DOUBLE_EQ(of(25, 3, 2).others, 5.0 / 20);
  EXPECT_DOUBLE_EQ(of(25, 3, 2).stolen, 3.0 / 20);
  EXPECT_DOUBLE_EQ(of(-1, 0, 4).others, 0);  // clocks that tick count roughly
  ProcessorTimes unknown = after_ten_seconds(40, 40);
  unknown.processors = 0;
  EXPECT_EQ(interference(before, unknown, 4).others, 0);
  EXPECT_EQ(interference(before, unknown, 4).stolen, 0);
}

TEST(Machine, WhatOthersLeaveFree) {
  const ProcessorTimes before = {
      .processors = 4, .busy = 100, .stolen = 7, .own = 3, .clock = 1000};
  EXPECT_DOUBLE_EQ(free_processors(before, after_ten_seconds(0, 0)), 4);
  EXPECT_DOUBLE_EQ(free_processors(before, after_ten_seconds(15, 0)), 2.5);
  EXPECT_DOUBLE_EQ(free_processors(before, after_ten_seconds(15, 5)), 2);
  ProcessorTimes unknown = after_ten_seconds(40, 40);
  unknown.processors = 0;
  EXPECT_GT(free_processors(before, unknown), 1e9);
}

TEST(Machine, WhyItIsBusy) {
  EXPECT_EQ(busy_reason({}, 0), "");
  EXPECT_EQ(busy_reason({.others = 0.049, .stolen = 0.049}, 0.099), "");
  EXPECT_EQ(busy_reason({.others = 0.41, .stolen = 0.5}, 0.9),
            "other processes took 41% of its time");
  EXPECT_EQ(busy_reason({.others = 0.051}, 0), "other processes took 5% of its time");
  EXPECT_EQ(busy_reason({.stolen = 0.066}, 0.9), "its host gave 7% of its time to others");
  EXPECT_EQ(busy_reason({}, 0.124), "runs of the same work differ by 12%");
}

}  // namespace
}  // namespace cria
