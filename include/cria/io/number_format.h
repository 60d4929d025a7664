// How files store numbers, and both ways between that and fp32.
#pragma once

#include <cstdint>
#include <string>

namespace cria {

// IEEE-754 binary32 and binary16, bfloat16, and GGUF's Q8_0: blocks of 32 numbers that share a
// scale (an F16 and 32 signed bytes; number = scale * byte).
enum class NumberFormat { f32, f16, bf16, q8_0 };

const char* format_name(NumberFormat format);  // "F32"
int64_t block_size(NumberFormat format);       // numbers that are stored together: 1, or 32

// Bytes of count >= 0 numbers, whole blocks.
uint64_t encoded_bytes(NumberFormat format, int64_t count);

// Exact: every F16 is an fp32. (bfloat16: base/bf16.)
float from_f16(uint16_t bits);
// Rounded to nearest, ties to even. Beyond the largest number is infinity; a NaN stays one, made
// quiet, with its sign and the upper part of its payload.
uint16_t to_f16(float value);

// count numbers, whole blocks, from source [encoded_bytes], which need not be aligned, to out
// [count]; on all cores.
void decode_numbers(NumberFormat format, const char* source, int64_t count, float* out);

// Writes numbers in a format, rounded. Error naming `where` when it cannot hold them: F16 holds
// nothing finite that would round to infinity, Q8_0 no infinities, NaN, or numbers beyond 127 times
// F16's largest, about 8.3 million. F32 and BF16 hold everything.
void encode_numbers(NumberFormat format, const float* source, int64_t count, char* out,
                    const std::string& where);

}  // namespace cria
