// Names of what GGUF keeps beside a model's parameters.
#pragma once

namespace cria {

inline constexpr const char* kRopeFrequencies = "rope_freqs.weight";
inline constexpr const char* kCriaScaling = "cria.rope.scaling.";  // llama3's parameters
// "spaceless" or "at_beginning", see FrontSpace in text/sentencepiece.
inline constexpr const char* kCriaFrontSpace = "cria.tokenizer.front_space";

}  // namespace cria
