// The types of GGUF's tensors and of its metadata.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cria/io/number_format.h"

namespace cria {

inline constexpr char kGgufMagic[] = "GGUF";
inline constexpr const char* kAlignmentKey = "general.alignment";
inline constexpr uint64_t kDefaultAlignment = 32;
inline constexpr size_t kMaxKeyBytes = 65535;

// The name of each alternative of GgufValue, in their order.
inline constexpr const char* kGgufTypeNames[] = {
    "u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"};

struct GgmlType {
  uint32_t number;
  const char* name;
  int64_t block;         // numbers that are stored together
  uint64_t block_bytes;  // that they take
  std::optional<NumberFormat> format = std::nullopt;
};

// What files hold; ggml has more for numbers on their way through a product.
inline constexpr GgmlType kGgmlTypes[] = {{0, "F32", 1, 4, NumberFormat::f32},
                                          {1, "F16", 1, 2, NumberFormat::f16},
                                          {30, "BF16", 1, 2, NumberFormat::bf16},
                                          {8, "Q8_0", 32, 34, NumberFormat::q8_0},
                                          {2, "Q4_0", 32, 18},
                                          {3, "Q4_1", 32, 20},
                                          {6, "Q5_0", 32, 22},
                                          {7, "Q5_1", 32, 24},
                                          {10, "Q2_K", 256, 84},
                                          {11, "Q3_K", 256, 110},
                                          {12, "Q4_K", 256, 144},
                                          {13, "Q5_K", 256, 176},
                                          {14, "Q6_K", 256, 210},
                                          {16, "IQ2_XXS", 256, 66},
                                          {17, "IQ2_XS", 256, 74},
                                          {18, "IQ3_XXS", 256, 98},
                                          {19, "IQ1_S", 256, 50},
                                          {20, "IQ4_NL", 32, 18},
                                          {21, "IQ3_S", 256, 110},
                                          {22, "IQ2_S", 256, 82},
                                          {23, "IQ4_XS", 256, 136},
                                          {29, "IQ1_M", 256, 56},
                                          {34, "TQ1_0", 256, 54},
                                          {35, "TQ2_0", 256, 66},
                                          {39, "MXFP4", 32, 17},
                                          {40, "NVFP4", 64, 36},
                                          {24, "I8", 1, 1},
                                          {25, "I16", 1, 2},
                                          {26, "I32", 1, 4},
                                          {27, "I64", 1, 8},
                                          {28, "F64", 1, 8}};

constexpr uint64_t padded(uint64_t bytes, uint64_t alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

}  // namespace cria
