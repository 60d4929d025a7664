// How many processors, and how much memory, this process may use.
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

// The same of memory, in bytes, from memory.max of version 2 or memory.limit_in_bytes of version 1.
double cgroup_memory(const std::string& root, const std::string& membership);

// Bytes that the machine has, or less where a control group limits them.
double available_memory();

}  // namespace cria
