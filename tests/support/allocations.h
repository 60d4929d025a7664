// Counts this program's allocations, and lets some fail.
#pragma once

#include <cstdint>

namespace cria {

// False where malloc cannot be replaced (another C library than glibc) or is replaced already
// (AddressSanitizer). Then nothing is counted and nothing fails.
bool allocations_are_counted();

// Calls of malloc and its kin, and so of operator new, by any thread since the program began.
int64_t allocations();

// Those of them that have not been freed.
int64_t live_allocations();

// From now on so many allocations succeed, by any thread, and then one fails, or all do.
enum class Failing { none, one, all };
void fail_allocations(Failing which, int64_t succeed_before);
bool stop_failing_allocations();  // whether one has failed

}  // namespace cria
