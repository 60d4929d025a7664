// dataset.json, which stands beside token shards and says what they hold: its name, what is in it,
// reading and writing. A file of another origin may leave anything out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cria/base/json.h"

namespace cria {

inline constexpr const char* kDatasetJson = "dataset.json";

// {"tokens", "bytes" (of text), "documents", "shards", "checksums"}, and where some tokens are read
// and not learned {"learned" (tokens), "masks", "mask_checksums"}
struct SplitDescription {
  std::optional<int64_t> tokens = {}, bytes = {}, documents = {};
  std::vector<std::string> shards = {};     // names of files beside dataset.json
  std::vector<std::string> checksums = {};  // of each shard, or none: see base/checksum
  std::optional<int64_t> learned = {};
  std::vector<std::string> masks = {}, mask_checksums = {};  // of each shard, or none
};

// {"kind", "vocab_size", "file", "hash"}, and of a BPE that was learned here {"words",
// "dropped_words"}
struct TokenizerDescription {
  std::string kind, file, hash;  // "": not said
  std::optional<int64_t> vocab_size = {}, words = {}, dropped_words = {};
};

struct DatasetDescription {
  std::string path;  // of the file; "": there is none
  TokenizerDescription tokenizer;
  SplitDescription train, val;
  int32_t bos = -1, eos = -1;  // "bos_token_id", "eos_token_id"; -1, in the file null: none
};

// The file in a directory; nothing is described where there is none. Errors, naming the key: a
// value of the wrong kind, and a name of a file that leads out of the directory.
DatasetDescription read_dataset_json(const std::string& directory);

Json to_json(const DatasetDescription& dataset);

// The shards that `path` stands for: of the directory of a dataset those of a part, "train" or
// "val"; every other path is as it is.
std::string shards_of(const std::string& path, const std::string& part);

// The masks of these shards (see mask_path) that the dataset.json beside each names.
std::vector<std::string> named_masks(const std::vector<std::string>& shards);

// Error unless these shards, or masks, are what the dataset.json beside each says. What it does not
// name, or has no checksum of, is taken as it is; so is all when checksums are not compared.
void require_checksums(const std::vector<std::string>& shards);

// What tells these shards, in this order, from any others: a checksum of what the dataset.json
// beside each says is its checksum. reads_shards: one that has none there is read; otherwise, and
// for no shards, the result is "".
std::string data_checksum(const std::vector<std::string>& shards, bool reads_shards = false);

}  // namespace cria
