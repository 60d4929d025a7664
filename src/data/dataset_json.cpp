#include "data/dataset_json.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <map>

#include "base/checksum.h"
#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/data/shard.h"

namespace cria {
namespace {

// Reads the members of one object; what is null or missing leaves its field as it is.
class Members {
 public:
  // where: the file, or the file and the object's own key and a point.
  Members(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
    if (!json.is_null()) json.as_object(where_);
  }

  Members object(const std::string& key) const {
    const Json* const value = json_.find(key);
    static const Json kNothing;
    return {value ? *value : kNothing, name(key) + "."};
  }
  void read(const std::string& key, std::optional<int64_t>& field) const {
    if (const Json* const value = find(key)) field = value->as_int(name(key));
  }
  void read(const std::string& key, std::string& field) const {
    if (const Json* const value = find(key)) field = value->as_string(name(key));
  }
  void read_file_name(const std::string& key, std::string& field) const {
    read(key, field);
    if (!field.empty()) require_plain(field, name(key));
  }
  void read_texts(const std::string& key, std::vector<std::string>& field) const {
    const Json* const value = find(key);
    if (!value) return;
    for (const Json& each : value->as_array(name(key))) {
      field.push_back(each.as_string(name(key)));
    }
  }
  void read_file_names(const std::string& key, std::vector<std::string>& field) const {
    read_texts(key, field);
    for (const std::string& each : field) require_plain(each, name(key));
  }
  void read_id(const std::string& key, int32_t& field) const {
    std::optional<int64_t> id;
    read(key, id);
    if (!id) return;
    if (*id < 0 || *id > std::numeric_limits<int32_t>::max()) {
      throw Error(
          "not a token id",
          {.where = name(key), .expected = "null or a number from 0", .got = std::to_string(*id)});
    }
    field = static_cast<int32_t>(*id);
  }

  std::string name(const std::string& key) const { return where_ + key; }

 private:
  const Json* find(const std::string& key) const {
    const Json* const value = json_.find(key);
    return value && !value->is_null() ? value : nullptr;
  }

  // The file may be a stranger's: what it names is opened.
  static void require_plain(const std::string& file, const std::string& what) {
    if (!file.empty() && file.find_first_of("/\\") == std::string::npos && file != "..") return;
    throw Error("not the name of a file beside this one",
                {.where = what, .expected = "a name without a directory", .got = quote(file)});
  }

  const Json& json_;
  std::string where_;
};

SplitDescription read_split(const Members& file) {
  SplitDescription split;
  file.read("tokens", split.tokens);
  file.read("bytes", split.bytes);
  file.read("documents", split.documents);
  file.read_file_names("shards", split.shards);
  file.read_texts("checksums", split.checksums);
  file.read("learned", split.learned);
  file.read_file_names("masks", split.masks);
  file.read_texts("mask_checksums", split.mask_checksums);
  const auto require_each = [&](const char* key, size_t checksums, size_t files) {
    if (checksums == 0 || checksums == files) return;
    throw Error("not a checksum for each of the files",
                {.where = file.name(key),
                 .expected = std::to_string(files) + " of them, or none",
                 .got = std::to_string(checksums)});
  };
  require_each("checksums", split.checksums.size(), split.shards.size());
  require_each("mask_checksums", split.mask_checksums.size(), split.masks.size());
  return split;
}

template <class Number>
void set_if_known(Json& json, const char* key, const std::optional<Number>& value) {
  if (value) json.set(key, *value);
}

Json to_json(const SplitDescription& split) {
  Json json;
  set_if_known(json, "tokens", split.tokens);
  set_if_known(json, "bytes", split.bytes);
  set_if_known(json, "documents", split.documents);
  const auto set_names = [&](const char* key, const std::vector<std::string>& names) {
    json.set(key, Json::Array(names.begin(), names.end()));
  };
  set_names("shards", split.shards);
  if (!split.checksums.empty()) set_names("checksums", split.checksums);
  set_if_known(json, "learned", split.learned);
  if (!split.masks.empty()) set_names("masks", split.masks);
  if (!split.mask_checksums.empty()) set_names("mask_checksums", split.mask_checksums);
  return json;
}

Json to_json(const TokenizerDescription& tokenizer) {
  Json json;
  json.set("kind", tokenizer.kind);
  set_if_known(json, "vocab_size", tokenizer.vocab_size);
  json.set("file", tokenizer.file);
  json.set("hash", tokenizer.hash);
  set_if_known(json, "words", tokenizer.words);
  set_if_known(json, "dropped_words", tokenizer.dropped_words);
  return json;
}

// Calls body(file, split, path of dataset.json) with train and with val, as the dataset.json beside
// each file describes them.
template <class Body>
void each_split(const std::vector<std::string>& files, Body&& body) {
  std::string directory;
  DatasetDescription dataset;
  for (const std::string& path : files) {
    const std::string parent = std::filesystem::path(path).parent_path().string();
    if (&path == &files.front() || parent != directory) {
      directory = parent;
      dataset = read_dataset_json(directory);
    }
    for (const SplitDescription* split : {&dataset.train, &dataset.val}) {
      body(path, *split, dataset.path);
    }
  }
}

// Calls body(shard or mask, its checksum, the dataset.json that says so) for each that has one.
template <class Body>
void each_checksum(const std::vector<std::string>& files, Body&& body) {
  using Names = std::vector<std::string>;
  each_split(files, [&](const std::string& path, const SplitDescription& split,
                        const std::string& dataset) {
    const auto look = [&](const Names& names, const Names& checksums) {
      for (size_t i = 0; i < checksums.size(); ++i) {  // none, or one for each name
        if (names[i] == std::filesystem::path(path).filename()) body(path, checksums[i], dataset);
      }
    };
    look(split.shards, split.checksums);
    look(split.masks, split.mask_checksums);
  });
}

}  // namespace

DatasetDescription read_dataset_json(const std::string& directory) {
  const std::string path = directory.empty() ? kDatasetJson : join_path(directory, kDatasetJson);
  DatasetDescription dataset;
  if (!exists(path)) return dataset;
  dataset.path = path;
  const Json json = read_json(path);
  json.as_object(path);
  const Members file(json, path + ": ");
  const Members tokenizer = file.object("tokenizer");
  tokenizer.read("kind", dataset.tokenizer.kind);
  tokenizer.read("vocab_size", dataset.tokenizer.vocab_size);
  tokenizer.read_file_name("file", dataset.tokenizer.file);
  tokenizer.read("hash", dataset.tokenizer.hash);
  dataset.train = read_split(file.object("train"));
  dataset.val = read_split(file.object("val"));
  file.read_id("bos_token_id", dataset.bos);
  file.read_id("eos_token_id", dataset.eos);
  return dataset;
}

std::string shards_of(const std::string& path, const std::string& part) {
  const bool is_dataset = !path.empty() && exists(join_path(path, kDatasetJson));
  return is_dataset ? join_path(path, part + "_*.bin") : path;
}

Json to_json(const DatasetDescription& dataset) {
  const auto id = [](int32_t token) { return token < 0 ? Json() : Json(token); };
  Json json;
  json.set("tokenizer", to_json(dataset.tokenizer));
  json.set("train", to_json(dataset.train));
  json.set("val", to_json(dataset.val));
  json.set("bos_token_id", id(dataset.bos));
  json.set("eos_token_id", id(dataset.eos));
  return json;
}

std::vector<std::string> named_masks(const std::vector<std::string>& shards) {
  std::vector<std::string> masks;
  each_split(shards, [&](const std::string& path, const SplitDescription& split, const auto&) {
    const std::string mask = mask_path(path), name = std::filesystem::path(mask).filename();
    if (std::ranges::find(split.masks, name) != split.masks.end()) masks.push_back(mask);
  });
  return masks;
}

void require_checksums(const std::vector<std::string>& shards) {
  if (verifies_checksums()) each_checksum(shards, require_checksum);
}

std::string data_checksum(const std::vector<std::string>& shards, bool reads_shards) {
  std::map<std::string, std::string> said;
  each_checksum(shards, [&](const std::string& path, const std::string& sum, const std::string&) {
    said[path] = sum;
  });
  std::string all;
  for (const std::string& path : shards) {
    const auto known = said.find(path);
    if (known == said.end() && !reads_shards) return "";
    all += (known != said.end() ? known->second : checksum(MappedFile(path).bytes())) + '\n';
  }
  return shards.empty() ? "" : checksum(all);
}

}  // namespace cria
