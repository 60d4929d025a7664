// Tokenizers in files: other people's in any form, and the three files of a model directory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cria/text/tokenizer.h"

namespace cria {

// path is one of
//   a tokenizer.json;
//   GPT-2's vocab.json or merges.txt, the other one beside it;
//   a tiktoken file, which Llama 3 calls tokenizer.model; it does not say how text is cut, so the
//   regex must be given (see text/pretokenizer);
//   a directory with one of these, the first in this order.
// What a file is, its content tells. tokenizer_config.json and special_tokens_map.json beside it
// name the tokens with a role (see tokenizer_files/tokenizer_config). Errors name the file, what
// was expected there and what was found: another format, a regex other than the file's own, a
// role whose token does not exist.
std::unique_ptr<Tokenizer> read_tokenizer(const std::string& path, const std::string& regex = "");

// Whether read_tokenizer would find a tokenizer.json or GPT-2's two files there.
bool has_tokenizer(const std::string& directory);

// tokenizer.json, tokenizer_config.json, special_tokens_map.json.
const std::vector<std::string>& tokenizer_file_names();

// Writes the three, which Hugging Face's AutoTokenizer reads as the same tokenizer.
// model_max_length: positions that the model has; 0: not said.
void write_tokenizer_files(const std::string& directory, const Tokenizer& tokenizer,
                           int64_t model_max_length = 0);

// The tokenizer with these special tokens: those that it lacks are added behind its last id, in
// order, bos and eos last. bos and eos (which may be the same token; "": none, which leaves the
// role as it is) get their roles, and bos is put before each text, see TextEnds. Error for a token
// that is empty, not UTF-8, listed twice, or written as another token is in a tokenizer.json.
std::unique_ptr<Tokenizer> with_special_tokens(std::unique_ptr<Tokenizer> tokenizer,
                                               const std::vector<std::string>& specials,
                                               const std::string& bos = "",
                                               const std::string& eos = "");

}  // namespace cria
