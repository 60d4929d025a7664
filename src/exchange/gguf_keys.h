// Names of what GGUF keeps beside a model's parameters.
#pragma once

namespace cria {

inline constexpr const char* kRopeFrequencies = "rope_freqs.weight";
inline constexpr const char* kCriaScaling = "cria.rope.scaling.";  // llama3's parameters

}  // namespace cria
