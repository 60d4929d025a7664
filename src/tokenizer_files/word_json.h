// Words in Hugging Face's tokenizer.json form.
#pragma once

#include <memory>
#include <string>

#include "cria/base/json.h"
#include "cria/text/tokenizer.h"
#include "tokenizer_files/tokenizer_layout.h"

namespace cria {

// The whole file, a WordLevel model of the layout's vocabulary behind a Split; what Hugging Face
// reads from it gives the same ids, and joins words by spaces as well.
Json word_json(TokenizerLayout whole);

// file: all of tokenizer.json, as word_json writes it; `where` names it in errors. Error naming
// what else would change ids.
std::unique_ptr<Tokenizer> words_from_json(const Json& file, const std::string& where);

}  // namespace cria
