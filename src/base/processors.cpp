#include "base/processors.h"

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

// Looks at the group itself and at those above it, up to the root of the mount.
double least_quota(const std::string& mount, std::string group) {
  double least = 0;
  for (;;) {
    const double quota = quota_of(mount + group);
    if (quota > 0) least = least > 0 ? std::min(least, quota) : quota;
    const size_t slash = group.rfind('/');
    if (slash == std::string::npos) return least;
    group.erase(slash);
  }
}

}  // namespace

double cgroup_quota(const std::string& root, const std::string& membership) {
  // A line is "id:controllers:/group"; of version 2 it is "0::/group".
  std::istringstream lines(membership);
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string group = line.substr(second + 1);
    const bool unified = controllers == ",,";
    if (!unified && controllers.find(",cpu,") == std::string::npos) continue;
    const double quota = least_quota(unified ? root : root + "/cpu", group);
    if (quota > 0) return quota;
  }
  return 0;
}

int available_processors() {
  int count = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) count = std::max(1, CPU_COUNT(&set));
  std::ifstream file("/proc/self/cgroup");
  const std::string membership((std::istreambuf_iterator<char>(file)), {});
  const double quota = cgroup_quota("/sys/fs/cgroup", membership);
  if (quota > 0) count = std::min(count, std::max(1, static_cast<int>(std::ceil(quota))));
#endif
  return count;
}

}  // namespace cria
