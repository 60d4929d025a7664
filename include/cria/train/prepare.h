// Texts to a directory to train from: tokenizer.json, token shards, dataset.json.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cria/base/json.h"
#include "cria/text/tokenizer.h"

namespace cria {

struct PrepareRequest {
  std::vector<std::string> texts;      // files to train on
  std::vector<std::string> val_texts;  // files to validate on; empty: val_fraction of the texts
  std::string tokenizer = "chars";     // "bytes", "chars", "bpe" or the path of a tokenizer.json
  int64_t vocab_size = 0;              // bpe: tokens to learn, the 256 bytes included
  std::string pattern = "gpt4";        // bpe: how text is cut into pieces, see text/pretokenizer
  double val_fraction = 0.1;           // taken from the end: the first int((1 - f) n) tokens train
  std::string directory;               // must not hold shards yet
  std::function<void(int64_t tokens, int64_t total)> progress = {};
};

// Writes all of it or nothing; returns what dataset.json holds: {"tokenizer": {kind, vocab_size,
// file, hash}, "train": {tokens, bytes, documents, shards}, "val": {...}}. A file is a document.
// Error for an empty text, text the tokenizer cannot encode (file and byte), and a directory that
// holds a dataset.
Json prepare_dataset(const PrepareRequest& request);

// Error when the dataset.json beside the shards that pattern names, if there is one, was made with
// another tokenizer.
void require_tokenizer_of(const std::string& pattern, const Tokenizer& tokenizer);

}  // namespace cria
