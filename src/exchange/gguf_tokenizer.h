// Tokenizers in GGUF's metadata, so that llama.cpp gives the same ids.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cria/text/tokenizer.h"
#include "io/gguf.h"

namespace cria {

// Appends the tokenizer.ggml keys of a model with vocab_size rows; those behind the tokenizer's
// last id get names of their own, [PAD300]. null: "no_vocab". Everything is a byte-level BPE there:
//   bytes   256 tokens, no merges
//   chars   a token for each character, and merges that put it together from its bytes
//   bpe     `pre` says how text is cut. gpt-2 and llama-bpe are the two regexes; llama-bpe turns
//           ignore_merges on, so it is written when that is meant or makes no difference, otherwise
//           smaug-bpe, the same regex without.
// llama-bpe would also put bos before every text: add_bos_token is always written. So are bos and
// eos, which would be token 11 otherwise. A tokenizer without them gets a token that a model
// hardly ever writes, since llama.cpp ends there: a row behind the vocabulary, or byte 0xFF, which
// no UTF-8 has, or, of characters, the last one.
// A sentencepiece is "llama", with a score for each token: see exchange/sentencepiece_scores; its
// merges, which llama.cpp does not look at, are there too if scores would bring them back in
// another order. llama.cpp puts its space in front of each part of a text, or of none: what cria's
// tokenizer does instead (FrontSpace::spaceless, at_beginning) stands in a key that only cria
// reads, and makes a difference where a text begins with a space and behind special tokens. Error
// naming path for what the format cannot say: two tokens written alike, other ends than bos and
// eos, ignore_merges with GPT-2's regex where it matters, NFC, merges that scores cannot say, more
// tokens than rows, words.
void append_gguf_tokenizer(GgufMetadata& metadata, const Tokenizer* tokenizer, int64_t vocab_size,
                           const std::string& path);

// The reverse: null when the file has no tokenizer. Tokens marked unused at the end are no tokens.
// `pre` may also be "default" or missing, which is read as gpt-2: files that were made before there
// was such a key. Bos and eos count when they are marked as control tokens. Error naming the file
// and the key or token; for vocabularies of other kinds ("bert", ...) and other pre-tokenizers
// their name.
std::unique_ptr<Tokenizer> read_gguf_tokenizer(const GgufFile& file);

}  // namespace cria
