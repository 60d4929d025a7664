// Counts this program's allocations.
#pragma once

#include <cstdint>

namespace cria {

// False where malloc cannot be replaced (another C library than glibc) or is replaced already
// (AddressSanitizer).
bool allocations_are_counted();

// Calls of malloc and its kin, and so of operator new, by any thread since the program began.
int64_t allocations();

}  // namespace cria
