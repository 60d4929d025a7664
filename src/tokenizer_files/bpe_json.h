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

// file: all of tokenizer.json; `where` names it in errors. It may have merges as strings or as
// pairs, added tokens that are looked for as they are, ignore_merges, and NFC as its normalizer. Of
// pretokenizers it may have ByteLevel, Split + ByteLevel with the regex of GPT-2 or GPT-4 (Llama
// 3's is the same and becomes gpt4), or SmolLM's Digits + ByteLevel; of post-processors ByteLevel
// or TemplateProcessing, whose template for one text counts. Error naming what else would change
// ids.
std::unique_ptr<BpeTokenizer> bpe_from_json(const Json& file, const std::string& where);

}  // namespace cria
