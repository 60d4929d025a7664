// A program that is killed, or whose calls fail, at each of its file calls in turn.
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <iostream>
#include <thread>

#include "crash/recording.h"
#include "crash/scenario.h"
#include "cria/base/rng.h"

namespace cria {
namespace {

constexpr int kKilled = 128 + SIGKILL;

class Fault : public testing::TestWithParam<Scenario> {
 protected:
  // The files of a run that nothing disturbs, and how many calls it takes.
  void SetUp() override {
    const std::string record = workshop_.path("record");
    const auto began = std::chrono::steady_clock::now();
    const ProcessResult whole = workshop_.run(command(), {"CRASH_RECORD=" + record});
    duration_ = std::chrono::steady_clock::now() - began;
    ASSERT_EQ(whole.exit_code, 0) << whole.err;
    wanted_ = workshop_.results();
    calls_ = counted_calls(read_recording(record));
    ASSERT_GE(calls_, 5);
    ASSERT_FALSE(wanted_.empty());
  }

  const CliTest::Arguments& command() const { return GetParam().command; }

  // Every checkpoint that can be seen is whole.
  void expect_whole_checkpoints() const {
    std::vector<std::string> names = workshop_.checkpoints();
    if (exists(workshop_.path("out/run/checkpoints/best"))) names.push_back("best");
    for (const std::string& name : names) {
      const ProcessResult verified = workshop_.run({"verify", "out/run/checkpoints/" + name});
      EXPECT_EQ(verified.exit_code, 0) << name << '\n' << verified.err;
    }
  }

  // The command, run again, ends with the files of the undisturbed run and nothing beside them.
  // Where the fault came after all was done, it says that they are there. A log that cannot be
  // written, or a best checkpoint, is a warning and no end of a run: then they may be behind.
  void expect_finished(const ProcessResult& before = {}) const {
    const ProcessResult again = workshop_.run(command());
    EXPECT_TRUE(again.exit_code == 0 || says_done(again)) << again.err;
    auto found = workshop_.results(), wanted = wanted_;
    if (before.err.find("training goes on, but without this") != std::string::npos) {
      for (auto* files : {&found, &wanted}) {
        std::erase_if(*files, [](const auto& file) {
          return file.first == "run/metrics.jsonl" || file.first == "run/samples.txt" ||
                 file.first.starts_with("run/checkpoints/best");
        });
      }
    }
    EXPECT_TRUE(found == wanted) << difference();
  }

  static bool says_done(const ProcessResult& result) {
    return result.exit_code == 1 && result.err.find("exists already") != std::string::npos;
  }

  std::string difference() const {
    const auto found = workshop_.results();
    std::string names;
    for (const auto& [name, bytes] : wanted_) {
      if (!found.contains(name)) names += " missing: " + name;
      if (found.contains(name) && found.at(name) != bytes) names += " differs: " + name;
    }
    for (const auto& [name, bytes] : found) {
      if (!wanted_.contains(name)) names += " left: " + name;
    }
    return names;
  }

  Workshop workshop_;
  std::map<std::string, std::string> wanted_;
  int64_t calls_ = 0;
  std::chrono::nanoseconds duration_{};
};

TEST_P(Fault, KilledAtEveryFileCall) {
  int64_t kills = 0;
  for (const char* how : {"kill", "torn"}) {
    for (int64_t call = 1; call <= calls_; call += call_stride()) {
      SCOPED_TRACE(how + (" at call " + std::to_string(call)));
      workshop_.clear();
      const int code = workshop_.run(command(), fault(call, how)).exit_code;
      ASSERT_EQ(code, kKilled);
      ++kills;
      expect_whole_checkpoints();
      expect_finished();
      if (HasFailure()) return;
    }
  }
  std::cout << GetParam() << ": killed " << kills << " times, at every file call\n";
}

// After each kill the same command goes on, is killed again, and so on to its end.
TEST_P(Fault, KilledAtRandomMoments) {
  Rng rng(1, "moments");
  int64_t kills = 0, ends = 0;
  const uint64_t longest = static_cast<uint64_t>(duration_.count() * 5 / 4);
  while (kills < wanted_kills()) {
    workshop_.clear();
    for (bool finished = false; !finished;) {
      Process process(cria_binary(), command(), workshop_.path("."));
      std::this_thread::sleep_for(std::chrono::nanoseconds(rng.below(longest)));
      process.send(SIGKILL);
      const ProcessResult result = process.wait();
      finished = result.exit_code == 0 || says_done(result);
      ASSERT_TRUE(finished || result.exit_code == kKilled) << result.err;
      kills += !finished;
    }
    ++ends;
    expect_finished();
    if (HasFailure()) return;
  }
  std::cout << GetParam() << ": killed " << kills << " times at random moments, in " << ends
            << " runs\n";
}

// An error that says so, nothing half-written, and the next attempt succeeds.
TEST_P(Fault, EveryFileCallFails) {
  int64_t errors = 0, passed_over = 0;
  for (const int error : {EIO, EROFS, ENOSPC}) {
    for (int64_t call = 1; call <= calls_; call += call_stride()) {
      SCOPED_TRACE("errno " + std::to_string(error) + " at call " + std::to_string(call));
      workshop_.clear();
      const ProcessResult result = workshop_.run(command(), fault(call, std::to_string(error)));
      if (result.exit_code == 0) {
        ++passed_over;
      } else {
        ++errors;
        ASSERT_EQ(result.exit_code, 1) << result.err;
        EXPECT_NE(result.err.find("cria: error: "), std::string::npos) << result.err;
      }
      expect_whole_checkpoints();
      expect_finished(result);
      if (HasFailure()) return;
    }
  }
  std::cout << GetParam() << ": " << errors << " failing calls ended with an error, " << passed_over
            << " did no harm\n";
}

TEST_P(Fault, TheDiskFillsUp) {
  for (int64_t call = 1; call <= calls_; call += call_stride()) {
    SCOPED_TRACE("full from call " + std::to_string(call));
    workshop_.clear();
    const ProcessResult result = workshop_.run(command(), fault(call, "full"));
    ASSERT_TRUE(result.exit_code == 1 || result.exit_code == 0) << result.err;
    expect_whole_checkpoints();
    expect_finished(result);
    if (HasFailure()) return;
  }
}

TEST_P(Fault, WritesAreShortOrInterrupted) {
  for (const std::string& how : {std::string("short"), std::to_string(EINTR)}) {
    for (int64_t call = 1; call <= calls_; call += call_stride()) {
      SCOPED_TRACE(how + " at call " + std::to_string(call));
      workshop_.clear();
      const ProcessResult result = workshop_.run(command(), fault(call, how));
      if (how == "short") {
        EXPECT_EQ(result.exit_code, 0) << result.err;
        EXPECT_TRUE(workshop_.results() == wanted_) << difference();
      }
      expect_finished(result);
      if (HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Commands, Fault, testing::ValuesIn(scenarios()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace cria
