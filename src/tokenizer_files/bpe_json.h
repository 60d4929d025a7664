// Byte-level BPE in Hugging Face's tokenizer.json form.
#pragma once

#include <memory>
#include <string>

#include "cria/base/json.h"
#include "text/bpe_tokenizer.h"

namespace cria {

// The whole file; what Hugging Face reads from it gives the same ids. Error for an added token that
// the form cannot express: its text is how the file writes another token.
Json bpe_json(const BpeVocabulary& vocabulary, const TextEnds& ends);

// file: all of tokenizer.json; `where` names it in errors. Read are: merges as strings and as
// pairs; added tokens that are looked for as they are; the pre-tokenizers ByteLevel and Split +
// ByteLevel with the regexes of GPT-2 and GPT-4 (the same as Llama 3's: it will be gpt4), Digits +
// ByteLevel for SmolLM's;
// ignore_merges; the post-processors ByteLevel and TemplateProcessing, of which the template for
// one text counts. What would change ids and is not read is an Error that names it.
std::unique_ptr<BpeTokenizer> bpe_from_json(const Json& file, const std::string& where);

}  // namespace cria
