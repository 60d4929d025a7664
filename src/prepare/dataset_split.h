// Documents to shards: encoded over all cores, written in order.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cria/data/shard.h"
#include "cria/text/tokenizer.h"
#include "data/dataset_json.h"
#include "prepare/text_input.h"

namespace cria {

// Train or val while it is written: its shards, and what dataset.json will say of it.
struct SplitWriter {
  ShardSeries shards;
  // Not 0: the shards get masks, and ids from here on are those of prompts with this added, which
  // is the size of the vocabulary.
  int64_t prompts_from = 0;
  int64_t bytes = 0;  // of text
  int64_t documents = 0;
  int64_t learned = 0;  // tokens, where there are masks

  void write(std::span<const int32_t> ids);
  SplitDescription describe(const std::string& directory) const;  // that the shards are in
};

class DocumentEncoder {
 public:
  // ends: what is put around each document.
  DocumentEncoder(const Tokenizer& tokenizer, TextEnds ends);

  // The ids are those of documents encoded whole, but for prompts: these are encoded by themselves,
  // and the size of the vocabulary is added to their ids and to what is put before them. They do
  // not depend on the number of threads. Returns how many each chunk became. Error for what has no
  // token, the first of the text.
  std::span<const int64_t> write(std::span<const TextChunk> chunks, SplitWriter& split);

 private:
  // Neighbouring chunks.
  struct Task {
    std::span<const TextChunk> chunks;
    std::span<int64_t> counts;  // of ids, for each chunk
    std::vector<int32_t> ids;
  };

  void encode(Task& task) const;
  size_t make_tasks(std::span<const TextChunk> chunks);

  const Tokenizer& tokenizer_;
  TextEnds ends_;
  std::vector<Task> tasks_;      // kept for their memory
  std::vector<int64_t> counts_;  // likewise
};

}  // namespace cria
