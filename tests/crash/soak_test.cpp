// A run that goes on and on, with a checkpoint every moment, needs no more at its end than at its
// beginning: SOAK_SECONDS of it, or 12.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <thread>

#include "crash/scenario.h"
#include "cria/base/error.h"

namespace cria {
namespace {

struct Need {
  int64_t memory = 0, descriptors = 0, files = 0;  // pages that are not a file's; below out/
};

// At least 1. What goes away meanwhile does not count.
int64_t files_at(const std::string& path) {
  std::error_code gone;
  int64_t files = 1;
  if (!std::filesystem::is_directory(path, gone)) return files;
  try {
    for (const std::string& name : list_directory(path)) files += files_at(join_path(path, name));
  } catch (const Error&) {
  }
  return files;
}

Need need_of(pid_t process, const std::string& out) {
  const std::string of_process = "/proc/" + std::to_string(process);
  int64_t virtual_pages = 0, resident = 0, shared = 0;
  std::ifstream(of_process + "/statm") >> virtual_pages >> resident >> shared;
  return {.memory = resident - shared,
          .descriptors = std::ssize(list_directory(of_process + "/fd")),
          .files = files_at(out)};
}

// The most of each.
Need most(const Need& a, const Need& b) {
  return {.memory = std::max(a.memory, b.memory),
          .descriptors = std::max(a.descriptors, b.descriptors),
          .files = std::max(a.files, b.files)};
}

TEST(Soak, NeedsNoMoreAtItsEnd) {
  if (!exists("/proc/self/statm")) GTEST_SKIP() << "the system does not say what a process needs";
  const std::string wanted = environment("SOAK_SECONDS");
  const auto time = std::chrono::seconds(wanted.empty() ? 12 : std::stoll(wanted));
  Workshop workshop;
  const std::string command = "exec '" + cria_binary() +
                              "' train run.toml train.steps=1000000000 train.checkpoint_every=100 "
                              "train.eval_every=50 train.sample_every=50 log.diagnostics=20 "
                              ">/dev/null 2>&1";
  Process training("/bin/sh", {"-c", command}, workshop.path("."));
  const auto began = std::chrono::steady_clock::now();
  Need early, late;
  int64_t seen = 0;
  for (;; ++seen) {
    std::this_thread::sleep_for(time / 60);
    const auto passed = std::chrono::steady_clock::now() - began;
    if (passed > time) break;
    if (passed < time / 6) continue;  // what it takes to begin
    if (!exists("/proc/" + std::to_string(training.id()) + "/fd")) break;
    Need& part = passed < time / 2 ? early : late;
    part = most(part, need_of(training.id(), workshop.out()));
  }
  const size_t checkpoints = workshop.checkpoints().size();
  training.send(SIGTERM);
  EXPECT_EQ(training.wait().exit_code, 130);  // stopped
  EXPECT_GT(seen, 20);
  EXPECT_GT(checkpoints, 0u);
  const int64_t steps = std::ranges::count(read_file(workshop.path("out/run/metrics.jsonl")), '\n');
  std::cout << "after " << steps << " lines of metrics: " << early.memory << " and " << late.memory
            << " pages, " << early.descriptors << " and " << late.descriptors << " descriptors, "
            << early.files << " and " << late.files << " files\n";
  constexpr int64_t kPages = 64;  // the allocator takes some more for a while
  EXPECT_LE(late.memory, early.memory + kPages);
  EXPECT_LE(late.descriptors, early.descriptors);
  EXPECT_LE(late.files, early.files);
}

}  // namespace
}  // namespace cria
