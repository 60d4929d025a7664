// The two orders of the rows of query and key. cria and Hugging Face rotate elements i and i + D/2
// of a head as a pair (half-split); Meta's weights, llama2.c and GGUF have them side by side, at 2i
// and 2i + 1 (interleaved). Scores are the same if weights and biases of both change order within
// each head; values do not.
#pragma once

#include <cstdint>

#include "cria/tensor/tensor.h"

namespace cria {

// Half-split row h D + j D/2 + i, j being 0 or 1, is interleaved row h D + 2i + j.
int64_t interleaved_row(int64_t half_split, int64_t head_dim);

// Rows first to first + count of a half-split weight [heads * D, C], or elements of a bias
// [heads * D], in the interleaved order, to out [count, C] or [count].
void read_interleaved(const ConstTensor& half_split, int64_t head_dim, int64_t first, int64_t count,
                      float* out);

}  // namespace cria
