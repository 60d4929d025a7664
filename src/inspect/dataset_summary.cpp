#include "inspect/dataset_summary.h"

#include <filesystem>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "data/dataset_json.h"
#include "tokenizer_files/tokenizer_json.h"

namespace cria {
namespace {

// dataset.json, key by key; Errors name the key. Without a file, nothing is found.
class Description {
 public:
  explicit Description(const std::string& path) : path_(path) {
    if (!exists(path)) return;
    json_ = Json::parse(read_file(path), path);
    json_.as_object(path);
  }

  // "tokenizer.kind"; null when it is not there.
  Json at(const std::string& table, const std::string& key) const {
    const Json* const inner = json_.find(table);
    const Json* const value = inner ? inner->find(key) : nullptr;
    return value ? *value : Json();
  }
  Json at(const std::string& key) const {
    const Json* const value = json_.find(key);
    return value ? *value : Json();
  }
  std::string name(const std::string& key) const { return path_ + ": " + key; }

 private:
  std::string path_;
  Json json_;
};

int32_t token_id(const Description& file, const std::string& key) {
  const Json value = file.at(key);
  if (value.is_null()) return -1;
  const int64_t id = value.as_int(file.name(key));
  if (id < 0 || id > INT32_MAX) {
    throw Error("no token id", {.where = file.name(key),
                                .expected = "null or a number from 0",
                                .got = std::to_string(id)});
  }
  return static_cast<int32_t>(id);
}

std::vector<Shard> open_shards(const std::vector<std::string>& paths, ShardFormat format) {
  std::vector<Shard> shards;
  for (const std::string& path : paths) shards.emplace_back(path, format);
  return shards;
}

void read_splits(const Description& file, const std::string& directory, ShardFormat format,
                 std::vector<DatasetSplit>& splits) {
  for (const char* const name : {"train", "val"}) {
    const Json described = file.at(name), names = file.at(name, "shards");
    if (names.is_null()) continue;
    const std::string what = file.name(name + std::string(".shards"));
    std::vector<std::string> paths;
    for (const Json& each : names.as_array(what)) {
      paths.push_back(join_path(directory, each.as_string(what)));
    }
    if (!paths.empty()) splits.push_back({name, open_shards(paths, format), described});
  }
}

void read_tokenizer_of(const Description& file, const std::string& directory,
                       const std::string& tokenizer, DatasetSummary& dataset) {
  const Json name = file.at("tokenizer", "file"), hash = file.at("tokenizer", "hash"),
             size = file.at("tokenizer", "vocab_size");
  if (!size.is_null()) dataset.vocab_size = size.as_int(file.name("tokenizer.vocab_size"));
  std::string path = tokenizer;
  if (path.empty()) {
    if (name.is_null()) return;
    path = join_path(directory, name.as_string(file.name("tokenizer.file")));
    if (!exists(path)) {
      dataset.warnings.push_back(path + " is missing, so no token can be shown");
      return;
    }
  }
  dataset.tokenizer_path = path;
  dataset.tokenizer = read_tokenizer(path);
  if (size.is_null()) dataset.vocab_size = dataset.tokenizer->vocab_size();
  if (hash.is_null()) return;
  const std::string expected = hash.as_string(file.name("tokenizer.hash"));
  const std::string found = tokenizer_hash(*dataset.tokenizer);
  if (found == expected) return;
  dataset.warnings.push_back("the shards were made with another tokenizer: " + dataset.path +
                             " has the hash " + expected + ", " + path + " has " + found);
}

// What dataset.json says and the shards do not.
void compare_tokens(DatasetSummary& dataset) {
  for (const DatasetSplit& split : dataset.splits) {
    const Json* const said = split.described.find("tokens");
    if (!said || *said == Json(split.tokens())) continue;
    dataset.warnings.push_back(split.name + " has " + std::to_string(split.tokens()) +
                               " tokens, not " + said->dump() + " as " + dataset.path + " says");
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
  const std::string summary = (std::filesystem::path(directory) / kDatasetSummary).string();
  const Description file(summary);
  DatasetSummary dataset;
  if (exists(summary)) dataset.path = summary;
  if (is_directory) {
    read_splits(file, directory, format, dataset.splits);
    if (dataset.splits.empty()) {
      throw Error("no shards", {.where = summary,
                                .expected = "train.shards or val.shards",
                                .hint = "'cria prepare' makes a dataset"});
    }
  } else {
    const auto paths = exists(path) ? std::vector<std::string>{path} : glob_files(path);
    dataset.splits.push_back({"shards", open_shards(paths, format), {}});
  }
  read_tokenizer_of(file, directory, tokenizer, dataset);
  dataset.bos = token_id(file, "bos_token_id");
  dataset.eos = token_id(file, "eos_token_id");
  compare_tokens(dataset);
  return dataset;
}

}  // namespace cria
