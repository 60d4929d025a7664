#include "base/processors.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "support/cli.h"
#include "support/files.h"

namespace cria {
namespace {

class ProcessorsTest : public testing::Test {
 public:
  void write(const std::string& file, const std::string& text) {
    const std::filesystem::path path(directory_ / file);
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  double quota(const std::string& membership) {
    return cgroup_quota(directory_.path(), membership);
  }
  double memory(const std::string& membership) {
    return cgroup_memory(directory_.path(), membership);
  }

 private:
  TemporaryDirectory directory_;
};

TEST_F(ProcessorsTest, QuotaOfVersion2IsTheLeastUpToTheRoot) {
  write("a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(quota("0::/a/b\n"), 0);
  write("a/cpu.max", "150000 100000\n");
  EXPECT_EQ(quota("0::/a/b\n"), 1.5);
  write("a/b/cpu.max", "50000 100000\n");
  EXPECT_EQ(quota("0::/a/b\n"), 0.5);
  // In a container the group's own folder is the root.
  write("cpu.max", "300000 100000\n");
  EXPECT_EQ(quota("0::/\n"), 3);
  EXPECT_EQ(quota("0::/elsewhere\n"), 3);
}

TEST_F(ProcessorsTest, QuotaOfVersion1) {
  const std::string membership = "5:memory:/a\n4:cpu,cpuacct:/a\n0::/\n";
  EXPECT_EQ(quota(membership), 0);
  write("cpu/a/cpu.cfs_quota_us", "-1\n");
  write("cpu/a/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota(membership), 0);
  write("cpu/a/cpu.cfs_quota_us", "200000\n");
  EXPECT_EQ(quota(membership), 2);
}

TEST_F(ProcessorsTest, NonsenseIsNoQuota) {
  for (const char* text : {"", "abc", "100000", "100000 0", "-5 100000"}) {
    write("cpu.max", text);
    EXPECT_EQ(quota("0::/\n"), 0) << text;
  }
  for (const char* membership : {"", "0", "0:", "::", "no colon at all"}) {
    EXPECT_EQ(quota(membership), 0) << membership;
  }
}

TEST_F(ProcessorsTest, MemoryOfBothVersions) {
  EXPECT_EQ(memory("0::/a/b\n"), 0);
  write("a/b/memory.max", "max\n");
  EXPECT_EQ(memory("0::/a/b\n"), 0);
  write("a/memory.max", "3000000\n");
  EXPECT_EQ(memory("0::/a/b\n"), 3e6);
  const std::string first = "5:memory:/a\n4:cpu,cpuacct:/a\n0::/\n";
  write("memory/a/memory.limit_in_bytes", "9223372036854771712\n");  // none
  EXPECT_EQ(memory(first), 0);
  write("memory/a/memory.limit_in_bytes", "1000000\n");
  EXPECT_EQ(memory(first), 1e6);
  EXPECT_GT(available_memory(), 1e6);
}

// There are as many threads as the process may use, not as the machine has.
TEST_F(CliTest, AffinityLimitsTheThreads) {
  const auto version = [](std::vector<std::string> command) {
    command.push_back(cria_binary());
    command.push_back("--version");
    return Process("/usr/bin/env", command, "/").wait().out;
  };
  if (version({"taskset", "-c", "0"}).empty()) GTEST_SKIP() << "taskset is not installed";
  EXPECT_TRUE(contains(version({"-u", "OMP_NUM_THREADS", "taskset", "-c", "0"}), " 1 thread\n"));
  EXPECT_TRUE(contains(version({"OMP_NUM_THREADS=3", "taskset", "-c", "0"}), " 3 threads"));
}

}  // namespace
}  // namespace cria
