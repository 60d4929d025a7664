// Tokenizers in Hugging Face's tokenizer.json form.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cria/base/json.h"
#include "cria/text/tokenizer.h"

namespace cria {

// bytes: a byte-level BPE with 256 tokens and no merges; chars: a BPE of single characters with no
// merges and no pretokenizer; words: see word_json.h; bpe: see bpe_json.h; sentencepiece: see
// sentencepiece_json.h. All load in Hugging Face's tokenizers and give the same ids.
std::string tokenizer_json(const Tokenizer& tokenizer);

// A token as the file writes it: an added one is its text; bytes are their stand-ins, except in the
// tokens of chars and sentencepiece.
std::string token_name(const Tokenizer& tokenizer, int32_t id);

// The token with this name, if there is one.
std::optional<int32_t> find_token(const Tokenizer& tokenizer, const std::string& name);

// "fnv1a:" and 16 hexadecimal digits: the same for tokenizers that do the same.
std::string tokenizer_hash(const Tokenizer& tokenizer);

// file: all of tokenizer.json; `where` names it in errors. Reads what tokenizer_json writes for
// bytes and chars, and the two kinds of BPE as others write them too, see bpe_json.h and
// sentencepiece_json.h; anything else in the
// file is an Error that names it, never a silent difference.
std::unique_ptr<Tokenizer> tokenizer_from_json(const Json& file, const std::string& where);

}  // namespace cria
