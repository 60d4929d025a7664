// The tokenizer of a dataset that is prepared: known beforehand, or learned from the texts.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cria/text/tokenizer.h"
#include "prepare/prepare.h"
#include "prepare/prepare_texts.h"

namespace cria {

// Where to cut texts for this tokenizer, which is to outlive the result.
TextCut cut_of(const Tokenizer& tokenizer);

// The token that request.bos or request.eos names: "" for "none".
std::string role_token(const std::string& role);

// The special tokens in the order of their ids, those with a role last, as with_special_tokens.
// Error for one that is there twice.
std::vector<std::string> tokens_to_add(const PrepareRequest& request);

// Null if it is to be learned: what is wrong with the request is an Error before texts are read.
std::unique_ptr<Tokenizer> known_tokenizer(const PrepareRequest& request,
                                           const std::vector<std::string>& special_tokens);

struct LearnedTokenizer {
  std::unique_ptr<Tokenizer> tokenizer;
  std::optional<TextTotals> totals = {};  // of the texts to train on, if they were read
  std::optional<int64_t> words = {}, dropped_words = {};  // bpe, words
};

// request.tokenizer is "bpe" or "words", learned from the texts to train on, or "chars", of all
// texts.
LearnedTokenizer learn_tokenizer(const PrepareRequest& request, const PrepareTexts& texts,
                                 const std::vector<std::string>& special_tokens);

}  // namespace cria
