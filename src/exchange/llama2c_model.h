// Models as llama2.c's files, and vocabularies as its tokenizer.bin.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cria/exchange/model_directory.h"
#include "io/llama2c_tokenizer.h"

namespace cria {

// version: 0 (run.c's), 1, or 2 (runq.c's: 8-bit groups of 64 numbers, or less where that does not
// divide the widths). Error naming the key, before anything is written, for what the format cannot
// say: what is no Llama, a theta other than 10000, an epsilon other than 1e-5, biases, scaled RoPE,
// heads that do not make up hidden_size.
void write_llama2c_model(const std::string& path, const Llama& model, int version);

// Version 0, 1 or 2. The file has no tokenizer, and a tokenizer.bin beside it is not looked at: it
// has no merges, which a tokenizer.json needs. Error as of Llama2cFile.
LoadedModel read_llama2c_model(const std::string& path);

// The pieces of a model with vocab_size rows, by id; those behind the tokenizer's last id are
// called [PAD300]. run.c decodes them to the exact text, but for a leading space behind id 1. It
// encodes by scores: the merges' ranks, negated, which is the order of a BPE except that run.c
// merges across the pieces that text is cut into; special tokens are never made. What run.c takes
// for granted is not changed: it begins a text with id 1 and a space and ends it at id 1, and a
// character without a piece becomes its bytes' ids + 3. All that is so in Llama 2's own tokenizer,
// whose ids run.c makes.
// Error naming path for a token that run.c would print otherwise: with a zero byte among others, or
// written like a byte ("<0x0A").
std::vector<Llama2cPiece> llama2c_pieces(const Tokenizer& tokenizer, int64_t vocab_size,
                                         const std::string& path);

}  // namespace cria
