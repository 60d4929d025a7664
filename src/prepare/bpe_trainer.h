// Learning a byte-level BPE vocabulary from counted words.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "prepare/word_counts.h"
#include "text/bpe_tokenizer.h"

namespace cria {

// Called after each merge: tokens there are, tokens wanted.
using BpeProgress = std::function<void(int64_t tokens, int64_t wanted)>;

// Merges the most frequent pair of neighbours until there are vocab_size tokens, or no pair occurs
// at least min_frequency times. Same vocabulary, bit by bit, as Hugging Face's BpeTrainer with the
// byte-level alphabet: special tokens first, then the 256 bytes in the order of the characters that
// stand for them, then what is merged; among equally frequent pairs the one with the smallest ids.
// Error for a vocab_size that has no room for
// special tokens and bytes, and for special tokens that are empty, not UTF-8, there twice, or one
// of the 256 characters. Memory: at most about 200 bytes for each distinct word of usual length;
// words moved in are released at the beginning.
BpeVocabulary train_bpe(WordCounts words, int64_t vocab_size,
                        std::span<const std::string> special_tokens,
                        const BpeProgress& progress = {}, int64_t min_frequency = 0);

}  // namespace cria
