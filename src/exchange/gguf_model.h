// Models as GGUF files of architecture "llama", as llama.cpp runs them.
#pragma once

#include <string>
#include <vector>

#include "cria/exchange/model_directory.h"
#include "cria/io/number_format.h"

namespace cria {

// Weights, shape and tokenizer (may be null) in one file. Matrices are stored in the format given;
// with Q8_0, one whose rows are no whole blocks of 32 is stored as F16, as llama.cpp's quantizer
// does. Norms and biases stay F32, which llama.cpp asks for. A tied head is left out; query and key
// change to GGUF's order of rows, see rope_layout. Scaling of RoPE: linear and yarn are keys,
// llama3 is a tensor of divisors, with its parameters in keys of cria's own for the way back. Error
// naming the key, before anything is written, for what the format cannot say: what is no Llama,
// dynamic scaling, yarn with other bounds than 32 and 1 or not truncated, and see gguf_tokenizer.
// Error naming the tensor, and no file, for what F16 or Q8_0 cannot hold.
void write_gguf_model(const std::string& path, const Llama& model, const Tokenizer* tokenizer,
                      NumberFormat format);

// Any file of architecture "llama" with F32, F16, BF16 and Q8_0 tensors. Error naming the file and
// the key or tensor that cria has no place for or misses; memory for the weights is only asked for
// once the file is known to hold them. with_tokenizer: false leaves the tokenizer out, whatever
// its kind.
LoadedModel read_gguf_model(const std::string& path, bool with_tokenizer = true);

// What scaling divides the frequencies of RoPE by, [D / 2]: GGUF has llama3's so, as a tensor.
std::vector<double> frequency_divisors(const ModelConfig& config);

}  // namespace cria
