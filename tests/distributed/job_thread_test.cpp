#include "distributed/job_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "cria/base/error.h"

namespace cria {
namespace {

TEST(JobThread, DoesJobsInTheirOrder) {
  JobThread thread;
  std::string done;
  for (int round = 0; round < 3; ++round) {
    for (const char name : {'a', 'b', 'c'}) thread.start([&done, name] { done += name; });
    thread.finish();
  }
  thread.finish();
  EXPECT_EQ(done, "abcabcabc");
}

TEST(JobThread, GoesOnBesideItsCaller) {
  JobThread thread;
  std::atomic<int> turn = 0;
  thread.start([&] {
    turn.wait(0);
    turn = 2;
    turn.notify_one();
  });
  turn = 1;
  turn.notify_one();
  turn.wait(1);
  EXPECT_EQ(turn, 2);
  thread.finish();
}

TEST(JobThread, AnErrorLeavesOutTheRest) {
  JobThread thread;
  int done = 0;
  thread.start([&] { ++done; });
  thread.start([] { throw Error("first"); });
  thread.start([&] { ++done; });
  thread.start([] { throw Error("second"); });
  try {
    thread.finish();
    ADD_FAILURE() << "nothing thrown";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "first");
  }
  EXPECT_EQ(done, 1);
  thread.start([&] { ++done; });
  thread.finish();
  EXPECT_EQ(done, 2);
}

TEST(JobThread, DropsWhatHasNotBegun) {
  JobThread thread;
  std::atomic<bool> begun = false, go = false;
  std::atomic<int> done = 0;
  thread.start([&] {
    begun = true;
    begun.notify_one();
    go.wait(false);
    throw Error("forgotten");
  });
  begun.wait(false);
  // The first goes on once this one is left out.
  std::shared_ptr<void> left_out(nullptr, [&](void*) {
    go = true;
    go.notify_one();
  });
  thread.start([&done, left_out = std::move(left_out)] { ++done; });
  thread.drop();
  thread.finish();
  EXPECT_EQ(done, 0);
}

}  // namespace
}  // namespace cria
