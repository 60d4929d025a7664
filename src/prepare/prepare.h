// Texts to a directory to train from: tokenizer files, token shards, dataset.json.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cria/base/error.h"
#include "cria/base/json.h"
#include "cria/data/shard.h"
#include "cria/text/tokenizer.h"
#include "prepare/text_input.h"
#include "prepare/word_counts.h"

namespace cria {

struct PrepareProgress {
  const char* phase;    // "encoding"; the phases follow each other
  int64_t done, total;  // total 0: not known
  bool in_bytes;        // of the files; else tokens
};

struct PrepareRequest {
  std::vector<std::string> texts;      // to train on, see TextInput
  std::vector<std::string> val_texts;  // to validate on; none: val_fraction of the texts
  DocumentRule documents = {};
  // "bytes", "chars", "words", "bpe", or a path: see read_tokenizer; also that of a run
  std::string tokenizer = "chars";
  int64_t vocab_size = 0;  // bpe, words: tokens to learn, bytes and special tokens included
  std::string regex = "";  // bpe ("": "gpt4") and tiktoken files, see text/pretokenizer
  std::vector<std::string> special_tokens = {};  // added to the tokenizer where it lacks them
  // Tokens before and after each document: "none" none, or a special token, which the tokenizer
  // gets as well. "": those of the tokenizer's file; if it puts nothing around a text and has an
  // eos, that is put after each document.
  std::string bos = "", eos = "";
  // The share of the tokens to validate on, from the end of each file: see prepare/file_split.
  double val_fraction = 0.1;
  int64_t shard_tokens = ShardSeries::kShardTokens;
  WordBudget words = {};  // bpe
  std::string directory;  // must not hold a dataset yet
  std::function<void(const PrepareProgress&)> progress = {};
  std::function<void(const std::string&)> note = {};  // what the user should know
  const std::atomic<bool>* stop = nullptr;            // ends it by Interrupted when it turns true
};

// The work was stopped as asked, and nothing of it is left.
class Interrupted : public Error {
 public:
  using Error::Error;
};

// Writes all of it or nothing, in bounded memory; returns what dataset.json holds: {"tokenizer":
// {kind, vocab_size, file, hash; bpe learned here: words, dropped_words}, "train": {tokens, bytes,
// documents, shards, and with prompts: learned, masks}, "val": {...}, "bos_token_id",
// "eos_token_id" (null: none was written)}; bytes are those of the text. Error for an empty text,
// text the tokenizer cannot encode (file and byte), and a directory that holds a dataset or that
// another process prepares.
Json prepare_dataset(const PrepareRequest& request);

}  // namespace cria
