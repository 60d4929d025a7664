// Which implementations of the kernels this machine runs.
#pragma once

#include <string>
#include <vector>

namespace cria {

// Best first: of avx512bf16, avx512, avx2, portable those that the machine runs.
std::vector<std::string> available_isas();

// Changes the table in use, for tests and comparisons; not while kernels run. Throws Error with the
// list when the machine does not run it.
void use_isa(const std::string& name);

}  // namespace cria
