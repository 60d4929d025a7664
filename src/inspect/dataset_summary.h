// A dataset as it lies on disk: dataset.json, the tokenizer and the shards.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cria/data/shard.h"
#include "cria/text/tokenizer.h"
#include "data/dataset_json.h"

namespace cria {

struct DatasetSplit {
  std::string name;
  std::vector<Shard> shards;
  SplitDescription described;           // by dataset.json
  std::optional<int64_t> learned = {};  // tokens that the masks do not leave out; nothing: no masks

  int64_t tokens() const;
};

struct DatasetSummary {
  std::string path;            // of dataset.json; "": there is none
  std::string tokenizer_path;  // "": there is none
  std::unique_ptr<Tokenizer> tokenizer;
  int64_t vocab_size = 0;      // the shards', by dataset.json or else the tokenizer's; 0: unknown
  int32_t bos = -1, eos = -1;  // around each document, by dataset.json; -1: none
  std::vector<DatasetSplit> splits;   // none is empty
  std::vector<std::string> warnings;  // what does not fit together, one sentence each
};

// path: a directory with a dataset.json; a shard or a glob of shards, of which a dataset.json
// beside them tells what it knows. tokenizer: the path of one, "" for the one that dataset.json
// names. Errors: no shards, broken ones, a broken dataset.json.
DatasetSummary read_dataset(const std::string& path, ShardFormat format,
                            const std::string& tokenizer = "");

}  // namespace cria
