// SentencePiece's BPE in Hugging Face's tokenizer.json form.
#pragma once

#include <memory>
#include <string>

#include "cria/base/json.h"
#include "text/sentencepiece.h"

namespace cria {

// The whole file; what Hugging Face reads from it gives the same ids. FrontSpace is written as it
// is read below.
Json sentencepiece_json(const SentencePieceVocabulary& vocabulary, const TextEnds& ends);

// file: all of tokenizer.json; `where` names it in errors. The model is a BPE with byte_fallback
// and a token for each byte, so that unk_token and fuse_unk never count. The space is put in front
//   by the normalizers Prepend and Replace, and no pre-tokenizer: FrontSpace::each_part;
//   by the pre-tokenizer Metaspace that does not split, and no normalizer: its prepend_scheme
//   "always" is FrontSpace::spaceless, "first" is FrontSpace::at_beginning, "never" is
//   FrontSpace::never, as is the normalizer Replace alone.
// The decoder is Replace, ByteFallback, Fuse and, if there is a space in front, Strip. What would
// change ids and is not read is an Error that names it.
std::unique_ptr<SentencePieceTokenizer> sentencepiece_from_json(const Json& file,
                                                                const std::string& where);

// Sets the parts of such a file that say where the space is put in front, as they are read above.
void set_front_space(Json& file, FrontSpace front);

}  // namespace cria
