// Which cria this is.
#pragma once

namespace cria {

inline constexpr const char* kCriaVersion = "0.1.0";

// The commit that it was built from, with "-dirty" when files differed from it; "" outside of a
// repository. The Makefile writes its definition.
extern const char* const kCommit;

}  // namespace cria
