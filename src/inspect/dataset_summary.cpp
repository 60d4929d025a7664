#include "inspect/dataset_summary.h"

#include <algorithm>
#include <filesystem>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "tokenizer_files/tokenizer_json.h"

namespace cria {
namespace {

DatasetSplit open_split(const std::string& name, const std::vector<std::string>& paths,
                        ShardFormat format, const SplitDescription& described) {
  DatasetSplit split = {.name = name, .shards = {}, .described = described};
  for (const std::string& path : paths) split.shards.emplace_back(path, format);
  const std::vector<std::string> masks = named_masks(paths);
  if (masks.empty()) return split;
  split.learned = split.tokens();
  for (const std::string& mask : masks) {
    *split.learned -= std::ranges::count(MappedFile(mask).bytes(), '\0');
  }
  return split;
}

void read_splits(const DatasetDescription& file, const std::string& directory, ShardFormat format,
                 std::vector<DatasetSplit>& splits) {
  const auto add = [&](const char* name, const SplitDescription& described) {
    std::vector<std::string> paths;
    for (const std::string& shard : described.shards) paths.push_back(join_path(directory, shard));
    if (!paths.empty()) splits.push_back(open_split(name, paths, format, described));
  };
  add("train", file.train);
  add("val", file.val);
}

void read_tokenizer_of(const TokenizerDescription& described, const std::string& directory,
                       const std::string& tokenizer, DatasetSummary& dataset) {
  dataset.vocab_size = described.vocab_size.value_or(0);
  std::string path = tokenizer;
  if (path.empty()) {
    if (described.file.empty()) return;
    path = join_path(directory, described.file);
    if (!exists(path)) {
      dataset.warnings.push_back(path + " is missing, so no token can be shown");
      return;
    }
  }
  dataset.tokenizer_path = path;
  dataset.tokenizer = read_tokenizer(path);
  if (!described.vocab_size) dataset.vocab_size = dataset.tokenizer->vocab_size();
  const std::string found = tokenizer_hash(*dataset.tokenizer);
  if (described.hash.empty() || found == described.hash) return;
  dataset.warnings.push_back("the shards were made with another tokenizer: " + dataset.path +
                             " has the hash " + described.hash + ", " + path + " has " + found);
}

// What dataset.json says and the shards do not.
void compare_tokens(DatasetSummary& dataset) {
  for (const DatasetSplit& split : dataset.splits) {
    const int64_t said = split.described.tokens.value_or(split.tokens());
    if (said == split.tokens()) continue;
    dataset.warnings.push_back(split.name + " has " + std::to_string(split.tokens()) +
                               " tokens, not " + std::to_string(said) + " as " + dataset.path +
                               " says");
  }
}

}  // namespace

int64_t DatasetSplit::tokens() const {
  int64_t tokens = 0;
  for (const Shard& shard : shards) tokens += shard.tokens();
  return tokens;
}

DatasetSummary read_dataset(const std::string& path, ShardFormat format,
                            const std::string& tokenizer) {
  const bool is_directory = std::filesystem::is_directory(path);
  const std::string directory =
      is_directory ? path : std::filesystem::path(path).parent_path().string();
  const DatasetDescription file = read_dataset_json(directory);
  DatasetSummary dataset;
  dataset.path = file.path;
  dataset.bos = file.bos;
  dataset.eos = file.eos;
  if (is_directory) {
    read_splits(file, directory, format, dataset.splits);
    if (dataset.splits.empty()) {
      throw Error("no shards", {.where = join_path(directory, kDatasetJson),
                                .expected = "train.shards or val.shards",
                                .hint = "'cria prepare' makes a dataset"});
    }
  } else {
    const auto paths = exists(path) ? std::vector<std::string>{path} : glob_files(path);
    dataset.splits.push_back(open_split("shards", paths, format, {}));
  }
  read_tokenizer_of(file.tokenizer, directory, tokenizer, dataset);
  compare_tokens(dataset);
  return dataset;
}

}  // namespace cria
