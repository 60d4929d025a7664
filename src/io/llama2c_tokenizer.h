// llama2.c's tokenizer.bin: pieces of text with scores, by id.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cria {

struct Llama2cPiece {
  std::string text;  // ids 3 to 258 of the usual files are the bytes, as "<0x0A>"
  float score = 0;   // of two pairs that could be merged, the one of the higher score is
};

// The file does not say how many pieces it has: it must end with the last one, and when the caller
// knows the number, as a model's vocab_size, there must be as many. Error naming the byte.
std::vector<Llama2cPiece> read_llama2c_tokenizer(const std::string& path,
                                                 std::optional<int64_t> vocab_size = {});

// Error for what llama2.c's programs cannot read: a piece that is empty or holds a zero byte, a
// score that is not finite. Atomic.
void write_llama2c_tokenizer(const std::string& path, const std::vector<Llama2cPiece>& pieces);

// Error unless llama2.c's programs can encode with these pieces: bytes 0 to 255 are ids 3 to 258
// (1 begins and 2 ends a text), and a single space is a piece.
void require_llama2c_encoding(const std::vector<Llama2cPiece>& pieces, const std::string& where);

}  // namespace cria
