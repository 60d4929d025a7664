// Other people's byte-level vocabularies: GPT-2's two files, and tiktoken's one.
#pragma once

#include <string>

#include "text/bpe_tokenizer.h"

namespace cria {

// vocab.json (token to id, in stand-ins for bytes) and merges.txt (a merge per line, in order of
// rank). A token that is neither a byte nor made by a merge can only be meant as itself: it becomes
// an added, special token, as GPT-2's <|endoftext|>. Errors name file, and line or token.
BpeVocabulary read_gpt2_files(const std::string& vocab_path, const std::string& merges_path);

// A line per token: base64 of its bytes, a space, its rank, which is its id too. The merges are all
// ways to make a token of two others, in order of the token's rank. The file holds no special
// tokens and does not say which regex cuts the text. Errors name file and line.
BpeVocabulary read_tiktoken_file(const std::string& path, Regex regex);

}  // namespace cria
