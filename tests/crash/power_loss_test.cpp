// The power goes at any moment of a command: what was finished and flushed is whole, and the
// command, run again, comes to the same end.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>

#include "crash/power_loss.h"
#include "crash/scenario.h"

namespace cria {
namespace {

using Files = std::map<std::string, std::string>;

void expect_all(const Files& wanted, const Files& found) {
  for (const auto& [name, bytes] : wanted) {
    ASSERT_TRUE(found.contains(name)) << name << " is missing";
    ASSERT_EQ(found.at(name), bytes) << name;
  }
}

class PowerLoss : public testing::TestWithParam<Scenario> {};

TEST_P(PowerLoss, AtEveryFileCall) {
  const Workshop workshop;
  const std::string record = workshop.path("record");
  const auto& command = GetParam().command;
  ASSERT_EQ(workshop.run(command, {"CRASH_RECORD=" + record}).exit_code, 0);
  const auto wanted = workshop.results();
  const std::vector<Recorded> recording = read_recording(record);

  RecordedDisk disk(std::filesystem::canonical(workshop.out()).string());
  Rng rng(1, "power");
  int64_t states = 0;
  for (size_t call = 0; call < recording.size(); ++call) {
    disk.replay(recording[call]);
    if (static_cast<int64_t>(call) % call_stride() != 0) continue;
    SCOPED_TRACE("after call " + std::to_string(call));
    std::vector<std::string> sure = disk.sure_names("run/checkpoints");
    std::erase_if(sure, [](const std::string& name) { return name.ends_with(".tmp"); });
    for (int variant = 0; variant < 3; ++variant, ++states) {
      workshop.clear();
      disk.write_survivors(workshop.out(), &rng);
      if (!sure.empty()) {
        const std::vector<std::string> left = workshop.checkpoints();
        ASSERT_FALSE(left.empty());
        ASSERT_GE(left.back(), sure.back());
        const ProcessResult verified =
            workshop.run({"verify", "out/run/checkpoints/" + left.back()});
        ASSERT_EQ(verified.exit_code, 0) << verified.err;
      }
      const ProcessResult again = workshop.run(command);
      const bool done = again.err.find("exists already") != std::string::npos;
      ASSERT_TRUE(again.exit_code == 0 || done) << again.err;
      ASSERT_NO_FATAL_FAILURE(expect_all(wanted, workshop.results()));
      ASSERT_EQ(workshop.results().size(), wanted.size());
    }
  }
  // What a command that has ended said is done stays done.
  workshop.clear();
  disk.write_survivors(workshop.out(), nullptr);
  expect_all(wanted, workshop.results());
  std::cout << GetParam() << ": " << states << " states of the disk after a loss of power\n";
}

INSTANTIATE_TEST_SUITE_P(Commands, PowerLoss, testing::ValuesIn(scenarios()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace cria
