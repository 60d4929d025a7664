// Cyclic redundancy checks of 32 bits, reflected, all ones before and after.
#pragma once

#include <cstdint>
#include <string_view>

namespace cria {

// Polynomial 0xEDB88320: zip. crc32("123456789") = 0xcbf43926. `before` is the check of the bytes
// that came earlier, for data in pieces.
uint32_t crc32(std::string_view bytes, uint32_t before = 0);

// Polynomial 0x82F63B78 (Castagnoli): TensorBoard. crc32c("123456789") = 0xe3069283.
uint32_t crc32c(std::string_view bytes);

}  // namespace cria
