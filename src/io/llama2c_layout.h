// Sizes that reading and writing llama2.c's files share.
#pragma once

#include <cstdint>

#include "io/llama2c.h"

namespace cria {

inline constexpr uint32_t kLlama2cMagic = 0x616b3432;  // "24ka"
inline constexpr uint64_t kLlama2cHeaderBytes = 256;   // of versions 1 and 2

inline uint64_t llama2c_bytes(const Llama2cTensor& tensor, const Llama2cHeader& header) {
  const uint64_t size = static_cast<uint64_t>(tensor.size());
  return tensor.quantized ? size + size / static_cast<uint64_t>(header.group_size) * 4 : 4 * size;
}

// Cosines, then sines, of version 0: [sequence_length, head size / 2] each.
inline uint64_t llama2c_rope_bytes(const Llama2cHeader& header) {
  return 4 * static_cast<uint64_t>(header.sequence_length * (header.dim / header.heads));
}

}  // namespace cria
