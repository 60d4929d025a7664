// Which implementations of the kernels this machine runs.
#pragma once

#include <string>
#include <vector>

#include "cria/kernels/kernels.h"

namespace cria {

// Best first: of amx, avx512bf16, avx512, avx2, portable those that the machine runs. On Intel's
// processors avx512bf16 comes after avx512: it is the slower one there. Then those added.
std::vector<std::string> available_isas();

// Adds an implementation to those that use_isa finds, after all others: for tests.
void add_isa(const Kernels& table);

// Changes the table in use, for tests and comparisons; not while kernels run. Throws Error with the
// list when the machine does not run it.
void use_isa(const std::string& name);

}  // namespace cria
