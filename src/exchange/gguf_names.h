// Names of tensors and keys in GGUF.
#pragma once

#include <string>
#include <string_view>

namespace cria {

inline constexpr const char* kRopeFrequencies = "rope_freqs.weight";
inline constexpr const char* kCriaScaling = "cria.rope.scaling.";  // llama3's parameters

// GGUF's name of one of cria's parameters: "blk.0.attn_q.weight".
std::string gguf_tensor_name(std::string_view parameter);

// Query and key, whose rows GGUF has in another order.
bool is_rotated(std::string_view parameter);

}  // namespace cria
