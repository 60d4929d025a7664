#include "cria/base/parallel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "support/threads.h"

namespace cria {
namespace {

struct Range {
  int64_t begin = 0, end = 0;
  bool operator==(const Range&) const = default;
};

// What each thread was given; a thread that is called twice counts as a failure.
std::vector<Range> ranges_of(int64_t count, int64_t grain) {
  std::vector<Range> ranges(max_threads());
  parallel_for(count, grain, [&](int64_t begin, int64_t end, int thread) {
    Range& range = ranges.at(thread);
    EXPECT_EQ(range, Range{});
    EXPECT_LT(begin, end);
    range = {begin, end};
  });
  return ranges;
}

template <class Check>
void each_loop(Check check) {
  for (const int threads : {1, 2, 3, 5}) {
    const ThreadCount scope(threads);
    for (const int64_t count : {0, 1, 2, 3, 7, 10, 64, 1001}) {
      SCOPED_TRACE(std::to_string(threads) + " threads, " + std::to_string(count) + " items");
      check(count);
    }
  }
}

TEST(Parallel, SetThreads) {
  const int before = max_threads();
  {
    const ThreadCount scope(3);
    EXPECT_EQ(max_threads(), has_openmp() ? 3 : 1);
  }
  EXPECT_EQ(max_threads(), before);
}

TEST(Parallel, RangesCoverEveryItemOnceInOrder) {
  each_loop([](int64_t count) {
    for (const int64_t grain : {1, 4, 100, 10000}) {
      int64_t next = 0;
      for (const Range& range : ranges_of(count, grain)) {
        if (range == Range{}) continue;
        EXPECT_EQ(range.begin, next);
        next = range.end;
      }
      EXPECT_EQ(next, count) << "grain " << grain;
    }
  });
}

TEST(Parallel, RangesHaveAtLeastTheGrain) {
  each_loop([](int64_t count) {
    for (const int64_t grain : {1, 4, 100, 10000}) {
      for (const Range& range : ranges_of(count, grain)) {
        if (range == Range{}) continue;
        EXPECT_GE(range.end - range.begin, std::min(grain, count)) << "grain " << grain;
      }
    }
  });
}

TEST(Parallel, ThreadsMeetTheirRangesAgain) {
  each_loop([](int64_t count) { EXPECT_EQ(ranges_of(count, 1), ranges_of(count, 1)); });
}

TEST(Parallel, TasksRunOnceEach) {
  each_loop([](int64_t count) {
    std::vector<std::atomic<int>> runs(count);
    std::atomic<bool> threads_exist = true;
    parallel_tasks(count, [&](int64_t item, int thread) {
      ++runs.at(item);
      if (thread < 0 || thread >= max_threads()) threads_exist = false;
    });
    EXPECT_TRUE(threads_exist);
    EXPECT_TRUE(std::all_of(runs.begin(), runs.end(), [](const auto& run) { return run == 1; }));
  });
}

// With one thread there is nothing to hand out: lowest first.
TEST(Parallel, TasksOfOneThreadAreInOrder) {
  const ThreadCount scope(1);
  std::vector<int64_t> order;
  parallel_tasks(5, [&](int64_t item, int) { order.push_back(item); });
  EXPECT_EQ(order, (std::vector<int64_t>{0, 1, 2, 3, 4}));
}

}  // namespace
}  // namespace cria
