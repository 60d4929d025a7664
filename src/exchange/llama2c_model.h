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
// heads that do not make up hidden_size. rows: which rows of the token table and the head are
// written, in this order, -1 for the mean of all; none: all as they are.
void write_llama2c_model(const std::string& path, const Llama& model, int version,
                         const std::vector<int32_t>& rows = {});

// The rows of a model with vocab_size of them, in the order in which run.c's programs expect what
// they stand for: the unknown token, bos and eos first, then the bytes by their values, then all
// others. -1 is a role that no token has: run.c begins with id 1 and ends where the model writes it.
// The mean of all rows is never the likeliest, and its likelihood about the geometric mean of all.
// Empty, which leaves ids as they are, where bos is 1 already, as in Llama 2's vocabulary.
std::vector<int32_t> llama2c_rows(const Tokenizer& tokenizer, int64_t vocab_size);

// Version 0, 1 or 2, with a tokenizer if a tokenizer.bin beside it is of SentencePiece's kind, as
// Llama 2's is: others do not say how they cut texts. Error as of Llama2cFile, and for a
// tokenizer.bin with another number of tokens.
LoadedModel read_llama2c_model(const std::string& path, bool with_tokenizer = true);

// The pieces of a model with vocab_size rows, by id of the file: see llama2c_rows; those behind the
// tokenizer's last id are called [PAD300]. run.c decodes them to the exact text, but for a leading
// space behind id 1. It encodes by scores: the merges' ranks, negated, which is the order of a BPE
// except that run.c merges across the pieces that text is cut into; special tokens are never made.
// It begins a text with id 1 and a space, and a character without a piece becomes its bytes'
// ids + 3. All that is so in Llama 2's own tokenizer, whose ids run.c makes.
// Error naming path for a token that run.c would print otherwise: with a zero byte among others, or
// written like a byte ("<0x0A").
std::vector<Llama2cPiece> llama2c_pieces(const Tokenizer& tokenizer, int64_t vocab_size,
                                         const std::string& path);

}  // namespace cria
