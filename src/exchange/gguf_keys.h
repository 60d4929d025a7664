// Names and numbers of what GGUF keeps beside a model's parameters.
#pragma once

#include <cstdint>

namespace cria {

inline constexpr const char* kRopeFrequencies = "rope_freqs.weight";
inline constexpr const char* kCriaScaling = "cria.rope.scaling.";  // llama3's parameters
// "spaceless" or "at_beginning", see FrontSpace in text/sentencepiece.
inline constexpr const char* kCriaFrontSpace = "cria.tokenizer.front_space";

// What a token is.
inline constexpr int32_t kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5,
                         kByte = 6;

}  // namespace cria
