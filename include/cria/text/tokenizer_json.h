// Tokenizers in Hugging Face's tokenizer.json form.
#pragma once

#include <memory>
#include <string>

#include "cria/base/json.h"
#include "cria/text/tokenizer.h"

namespace cria {

// bytes: a byte-level BPE with 256 tokens and no merges; chars: a BPE of single characters with no
// merges and no pre-tokenizer; bpe: see bpe_json.h. All load in Hugging Face's tokenizers and give
// the same ids.
std::string tokenizer_json(const Tokenizer& tokenizer);

// "fnv1a:" and 16 hexadecimal digits: the same for tokenizers that do the same.
std::string tokenizer_hash(const Tokenizer& tokenizer);

// file: all of tokenizer.json; `where` names it in errors. Reads what tokenizer_json writes for
// bytes and chars, and byte-level BPE as others write it too, see bpe_json.h; anything else in the
// file is an Error that names it, never a silent difference.
std::unique_ptr<Tokenizer> tokenizer_from_json(const Json& file, const std::string& where);

}  // namespace cria
