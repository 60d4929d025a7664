// GGUF's numbers for what a token is.
#pragma once

#include <cstdint>

namespace cria {

inline constexpr int32_t kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5,
                         kByte = 6;

}  // namespace cria
