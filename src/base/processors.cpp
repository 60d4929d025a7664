#include "base/processors.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

namespace cria {
namespace {

// Two numbers of a group's folder, quota and period; in version 1 each has a file. A quota that is
// no number ("max", or none at all) or negative is none.
double quota_of(const std::string& folder) {
  double quota = 0, period = 0;
  if (std::ifstream both(folder + "/cpu.max"); both) {
    both >> quota >> period;
  } else {
    std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;
    std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  }
  return quota > 0 && period > 0 ? quota / period : 0;
}

// Bytes; a limit that is no number ("max") or none is 0. Version 1 writes a huge one for none.
double memory_limit_of(const std::string& folder) {
  constexpr double kNone = 0x1p62;
  double limit = 0;
  if (std::ifstream unified(folder + "/memory.max"); unified) {
    unified >> limit;
  } else {
    std::ifstream(folder + "/memory.limit_in_bytes") >> limit;
  }
  return limit < kNone ? limit : 0;
}

using LimitOf = double (*)(const std::string& folder);

// Looks at the group itself and at those above it, up to the root of the mount.
double least_limit(const std::string& mount, std::string group, LimitOf limit_of) {
  double least = 0;
  for (;;) {
    const double limit = limit_of(mount + group);
    if (limit > 0) least = least > 0 ? std::min(least, limit) : limit;
    const size_t slash = group.rfind('/');
    if (slash == std::string::npos) return least;
    group.erase(slash);
  }
}

// The least limit of the process's group for a controller, and of those above it; 0: none.
double cgroup_limit(const std::string& root, const std::string& membership,
                    const std::string& controller, LimitOf limit_of) {
  // A line is "id:controllers:/group"; of version 2 it is "0::/group".
  std::istringstream lines(membership);
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string group = line.substr(second + 1);
    const bool unified = controllers == ",,";
    if (!unified && controllers.find("," + controller + ",") == std::string::npos) continue;
    const double limit = least_limit(unified ? root : root + "/" + controller, group, limit_of);
    if (limit > 0) return limit;
  }
  return 0;
}

#ifdef __linux__
constexpr const char* kCgroups = "/sys/fs/cgroup";

std::string own_membership() {
  std::ifstream file("/proc/self/cgroup");
  return {std::istreambuf_iterator<char>(file), {}};
}
#endif

}  // namespace

double cgroup_quota(const std::string& root, const std::string& membership) {
  return cgroup_limit(root, membership, "cpu", quota_of);
}

double cgroup_memory(const std::string& root, const std::string& membership) {
  return cgroup_limit(root, membership, "memory", memory_limit_of);
}

int available_processors() {
  int count = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) count = std::max(1, CPU_COUNT(&set));
  const double quota = cgroup_quota(kCgroups, own_membership());
  if (quota > 0) count = std::min(count, std::max(1, static_cast<int>(std::ceil(quota))));
#endif
  return count;
}

double available_memory() {
  double memory =
      static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
#ifdef __linux__
  const double limit = cgroup_memory(kCgroups, own_membership());
  if (limit > 0) memory = std::min(memory, limit);
#endif
  return memory;
}

}  // namespace cria
