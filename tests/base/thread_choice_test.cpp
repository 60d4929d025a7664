// On simulated machines: what steps take there is a formula.
#include "base/thread_choice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace cria {
namespace {

// Processors and other busy processes. A step is a second of work for all processors together, and
// as long as its slowest thread: one that shares its processor gets half of it.
struct SimulatedMachine {
  int processors;
  double others;
  int asked = 0;

  double free_processors() {
    ++asked;
    return processors - others;
  }
  double step(int threads) const {
    const double alone = 1.0 * processors / threads;
    return threads + others > processors ? 2 * alone : alone;
  }
};

int threads_after(SimulatedMachine& machine, ThreadChoice& choice, int steps) {
  for (int i = 0; i < steps; ++i) choice.took(machine.step(choice.threads()));
  return choice.threads();
}

TEST(ThreadChoice, AllOfThemAlone) {
  SimulatedMachine machine = {.processors = 8, .others = 0.3};
  ThreadChoice choice(8, [&] { return machine.free_processors(); });
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(choice.threads(), 8) << i;
    choice.took(machine.step(8));
  }
  EXPECT_GT(machine.asked, 10);
}

TEST(ThreadChoice, LeavesProcessorsToOthersAndComesBack) {
  SimulatedMachine machine = {.processors = 8, .others = 0};
  ThreadChoice choice(8, [&] { return machine.free_processors(); });
  EXPECT_EQ(threads_after(machine, choice, 100), 8);
  machine.others = 1;
  EXPECT_EQ(threads_after(machine, choice, 100), 7);
  machine.others = 3;
  EXPECT_EQ(threads_after(machine, choice, 100), 5);
  machine.others = 0;
  EXPECT_EQ(threads_after(machine, choice, 100), 8);
}

// With a busy process on every processor, fewer threads are slower.
TEST(ThreadChoice, KeepsWhatIsFasterThanWhatItTried) {
  SimulatedMachine machine = {.processors = 4, .others = 4};
  ThreadChoice choice(4, [&] { return machine.free_processors(); });
  threads_after(machine, choice, 16);
  EXPECT_EQ(choice.threads(), 1);  // a trial
  int trials = 0;
  for (int i = 0; i < 2000; ++i) {
    trials += choice.threads() != 4;
    choice.took(machine.step(choice.threads()));
  }
  EXPECT_GT(trials, 5);
  EXPECT_LT(trials, 60);  // ever fewer
}

// Fewer threads were faster for as long as they were tried, and never again.
TEST(ThreadChoice, ReturnsWhenItWasLuck) {
  ThreadChoice choice(2, [] { return 1.0; });
  int with_one = 0;
  for (int i = 0; i < 400; ++i) {
    const bool one = choice.threads() == 1;
    choice.took(one ? (++with_one <= 10 ? 0.5 : 3) : 1);
  }
  EXPECT_GT(with_one, 10);
  EXPECT_EQ(choice.threads(), 2);
}

TEST(ThreadChoice, NoMoreThanAskedForAndAtLeastOne) {
  SimulatedMachine machine = {.processors = 64, .others = 0};
  ThreadChoice two(2, [&] { return machine.free_processors(); });
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(two.threads(), 2);
    two.took(1);
  }
  ThreadChoice unknown(3, [] { return std::numeric_limits<double>::infinity(); });
  ThreadChoice crowded(3, [] { return -5.0; });
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(unknown.threads(), 3);
    unknown.took(1);
    ASSERT_GE(crowded.threads(), 1);
    crowded.took(crowded.threads() == 1 ? 0.5 : 1);
  }
  EXPECT_EQ(crowded.threads(), 1);
}

// A step that takes long, such as the one that another process interrupted, is no reason.
TEST(ThreadChoice, OutliersDoNotCount) {
  SimulatedMachine machine = {.processors = 2, .others = 0};
  ThreadChoice choice(2, [&] { return machine.free_processors(); });
  for (int i = 0; i < 300; ++i) choice.took(i % 7 == 0 ? 40 : machine.step(choice.threads()));
  EXPECT_EQ(choice.threads(), 2);
}

// Processor times are counted in hundredths of a second: short steps say too little.
TEST(ThreadChoice, AsksNoMoreThanFourTimesASecond) {
  int asked = 0;
  ThreadChoice choice(2, [&] {
    ++asked;
    return 2.0;
  });
  for (int i = 0; i < 10000; ++i) choice.took(1e-3);
  EXPECT_LE(asked, 40);
  EXPECT_GE(asked, 38);
}

}  // namespace
}  // namespace cria
