#include "cria/base/parallel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <compare>
#include <limits>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/threads.h"

namespace cria {
namespace {

struct Range {
  int64_t begin = 0, end = 0;
  auto operator<=>(const Range&) const = default;
};

// All ranges that the threads were given, in order.
std::vector<Range> ranges_of(int64_t count, int64_t grain) {
  std::mutex mutex;
  std::vector<Range> ranges;
  parallel_for(count, grain, [&](int64_t begin, int64_t end, int thread) {
    EXPECT_LT(begin, end);
    EXPECT_GE(thread, 0);
    EXPECT_LT(thread, max_threads());
    const std::lock_guard<std::mutex> lock(mutex);
    ranges.push_back({begin, end});
  });
  std::ranges::sort(ranges);
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

TEST(Parallel, NoMoreThreadsThanTheLimit) {
  const ThreadCount scope(4);
  for (const int limit : {1, 2, 0}) {
    limit_threads(limit);
    std::atomic<int> most{0};
    const auto see = [&](int thread) {
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      for (int seen = most; thread > seen && !most.compare_exchange_weak(seen, thread);) {
      }
    };
    parallel_tasks(100, [&](int64_t, int thread) { see(thread); });
    parallel_for(100, 1, [&](int64_t, int64_t, int thread) { see(thread); });
    limit_threads(0);
    EXPECT_LT(most, limit > 0 ? limit : 4);
    EXPECT_EQ(max_threads(), has_openmp() ? 4 : 1);
  }
}

TEST(Parallel, RangesCoverEveryItemOnce) {
  each_loop([](int64_t count) {
    for (const int64_t grain : {1, 4, 100, 10000}) {
      int64_t next = 0;
      for (const Range& range : ranges_of(count, grain)) {
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
        EXPECT_GE(range.end - range.begin, std::min(grain, count)) << "grain " << grain;
      }
    }
  });
}

TEST(Parallel, RangesAreTheSameOnEveryCall) {
  each_loop([](int64_t count) { EXPECT_EQ(ranges_of(count, 1), ranges_of(count, 1)); });
}

// A thread that is held up keeps nothing but the range that it is at: the others do all the rest.
TEST(Parallel, OthersTakeOverFromASlowThread) {
  if (!has_openmp()) GTEST_SKIP() << "built without OpenMP: one core";
  const ThreadCount scope(2);
  std::atomic<int64_t> done = 0;
  std::atomic<bool> someone_waits = false;
  parallel_for(1000, 1, [&](int64_t begin, int64_t end, int) {
    if (!someone_waits.exchange(true)) {
      while (done < 1000 - (end - begin)) std::this_thread::yield();
    }
    done += end - begin;
  });
  EXPECT_EQ(done, 1000);
}

// The thread that meets a loop inside a loop runs all of it.
TEST(Parallel, LoopsInsideLoops) {
  each_loop([](int64_t count) {
    std::atomic<int64_t> inner = 0;
    parallel_tasks(count, [&](int64_t, int outer_thread) {
      parallel_for(10, 1, [&](int64_t begin, int64_t end, int thread) {
        EXPECT_EQ(thread, outer_thread);
        inner += end - begin;
      });
    });
    EXPECT_EQ(inner, 10 * count);
  });
}

// Their loops come one after another: no two use the same thread's memory at a time.
TEST(Parallel, SeveralCallers) {
  const ThreadCount scope(3);
  std::vector<std::atomic<int>> users(max_threads());
  std::atomic<int64_t> done = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int loop = 0; loop < 200; ++loop) {
        parallel_for(loop % 5, 1, [&](int64_t begin, int64_t end, int thread) {
          EXPECT_EQ(users[thread]++, 0);
          done += end - begin;
          --users[thread];
        });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(done, 4 * 40 * (0 + 1 + 2 + 3 + 4));
}

// Halves a number until it is below the normal range.
float halved(float x) {
  volatile float value = x;
  value = value * 0.5f;
  return value;
}

constexpr float kSmallestNormal = std::numeric_limits<float>::min();

TEST(Parallel, ArithmeticOfAModelFlushesDenormals) {
#if !defined(__SSE__) && !defined(__aarch64__)
  GTEST_SKIP() << "a processor whose control of denormals is not known";
#endif
  each_loop([](int64_t count) {
    compute_for(count, 1, [](int64_t, int64_t, int) {
      EXPECT_EQ(halved(kSmallestNormal), 0.0f);
      EXPECT_EQ(halved(3.0f), 1.5f);
      parallel_for(1, 1, [](int64_t, int64_t, int) { EXPECT_EQ(halved(kSmallestNormal), 0.0f); });
    });
    compute_tasks(count, [](int64_t, int) { EXPECT_EQ(halved(kSmallestNormal), 0.0f); });
    EXPECT_GT(halved(kSmallestNormal), 0.0f) << "the calling thread's own arithmetic has changed";
    parallel_for(count, 1, [](int64_t, int64_t, int) {
      EXPECT_GT(halved(kSmallestNormal), 0.0f) << "a thread's arithmetic has changed";
    });
  });
}

// While a loop of another caller runs, and with all the loops in it.
TEST(Parallel, ComputesHereWithoutWaitingForOthers) {
  const ThreadCount scope(3);
  parallel_for(1, 1, [](int64_t, int64_t, int) {
    std::thread([] {
      const std::thread::id here = std::this_thread::get_id();
      int64_t items = 0;
      compute_here([&] {
        compute_for(1000, 1, [&](int64_t begin, int64_t end, int) {
          EXPECT_EQ(std::this_thread::get_id(), here);
          items += end - begin;
        });
#if defined(__SSE__) || defined(__aarch64__)
        EXPECT_EQ(halved(kSmallestNormal), 0.0f);
#endif
      });
      EXPECT_EQ(items, 1000);
      EXPECT_GT(halved(kSmallestNormal), 0.0f);
    }).join();
  });
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

// One thread has nobody to share with and takes the lowest first.
TEST(Parallel, TasksOfOneThreadAreInOrder) {
  const ThreadCount scope(1);
  std::vector<int64_t> order;
  parallel_tasks(5, [&](int64_t item, int) { order.push_back(item); });
  EXPECT_EQ(order, (std::vector<int64_t>{0, 1, 2, 3, 4}));
}

}  // namespace
}  // namespace cria
