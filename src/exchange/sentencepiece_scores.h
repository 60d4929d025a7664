// SentencePiece's kind of vocabulary as llama.cpp and llama2.c have it: no merges, a score for each
// token. Of two neighbours that could become a token, those whose token has the highest score do.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "text/sentencepiece.h"

namespace cria {

// Of tokens that no merge makes.
inline constexpr float kNeverMerged = -1e10f;

// By id: the rank of a token's first merge, negated.
std::vector<float> scores_of(std::span<const BpeMerge> merges, size_t tokens);

// names, scores: by id; added: of them those that take no part in merging. The merges are all ways
// to make a token of two others: by score, those to the same token by their ids, as in the files
// that Hugging Face's transformers converted.
SentencePieceVocabulary vocabulary_of_scores(std::vector<std::string> names,
                                             const std::vector<float>& scores,
                                             std::vector<AddedToken> added);

// Whether vocabulary_of_scores would find the same merges again; where the order does not matter,
// those to one token may come in another one, which makes no other ids.
bool scores_say_all(const SentencePieceVocabulary& vocabulary, bool order_matters);

}  // namespace cria
