// How many processors this process may use.
#pragma once

#include <string>

namespace cria {

// What the process's affinity and the quotas of its control groups (a container's limit) leave of
// the machine's processors; at least 1. A quota of 1.5 processors counts as 2.
int available_processors();

// The least quota of a control group and those above it, in processors, from cpu.max of version 2
// or cpu.cfs_quota_us of version 1; 0: none. root: where control groups are mounted,
// /sys/fs/cgroup; membership: the text of /proc/self/cgroup.
double cgroup_quota(const std::string& root, const std::string& membership);

}  // namespace cria
