// llama2.c's tokenizer.bin: pieces of text with scores, by id.
#pragma once

#include <string>
#include <vector>

namespace cria {

struct Llama2cPiece {
  std::string text;  // ids 3 to 258 of the usual files are the bytes, as "<0x0A>"
  float score = 0;   // of two pairs that could be merged, the one of the higher score is
};

// Error for what llama2.c's programs cannot read: a piece that is empty or holds a zero byte, a
// score that is not finite; path: where they will stand.
std::string llama2c_tokenizer_bytes(const std::vector<Llama2cPiece>& pieces,
                                    const std::string& path);

// The pieces of such a file. Error naming the byte where it ends in the middle of one.
std::vector<Llama2cPiece> read_llama2c_tokenizer(const std::string& path);

}  // namespace cria
