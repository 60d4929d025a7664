#include "cria/data/dataset.h"

#include <algorithm>
#include <filesystem>

#include "cria/base/error.h"
#include "cria/kernels/kernels.h"
#include "data/dataset_json.h"

namespace cria {
namespace {

// Targets are the tokens after the first, so a shard of n tokens has room for n - 1.
int64_t whole_windows(const Shard& shard, int64_t length) {
  return (shard.tokens() - 1) / length;
}

int64_t started_windows(const Shard& shard, int64_t length) {
  return (shard.tokens() - 1 + length - 1) / length;
}

template <class Count>
int64_t total(const std::vector<Shard>& shards, int64_t length, Count count) {
  if (length < 1) {
    throw Error(
        "not possible",
        {.where = "tokens of a window", .expected = "at least 1", .got = std::to_string(length)});
  }
  int64_t windows = 0;
  for (const Shard& shard : shards) windows += count(shard, length);
  return windows;
}

// Window `index` of all that count finds, with the length it has if its shard does not end first.
template <class Count>
Window window_at(const std::vector<Shard>& shards, int64_t index, int64_t length, Count count) {
  size_t shard = 0;
  for (; index >= count(shards[shard], length); ++shard) index -= count(shards[shard], length);
  return {static_cast<int64_t>(shard), index * length, length};
}

// Reads it all once: a wrong id is to be found now, not in the middle of a run.
void check_ids(const Shard& shard, int64_t vocab_size) {
  std::vector<int32_t> ids(1 << 14);
  const int64_t room = static_cast<int64_t>(ids.size());
  for (int64_t begin = 0; begin < shard.tokens(); begin += room) {
    shard.read(begin, std::min(room, shard.tokens() - begin), vocab_size, ids.data());
  }
}

void require_files(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    if (!std::filesystem::is_directory(path)) continue;
    const bool has_shards = std::ranges::any_of(
        list_directory(path), [](const std::string& name) { return name.ends_with(".bin"); });
    throw Error("a directory where shards are asked for",
                {.where = path,
                 .expected = "shards, or the directory of a dataset",
                 .got = "a directory without a " + std::string(kDatasetJson),
                 .hint = has_shards ? "'" + join_path(path, "*.bin") + "' names all shards in it"
                                    : "'cria prepare' makes one of texts"});
  }
}

void check_mask(const MappedFile& mask, const Shard& shard) {
  const std::string_view bytes = mask.bytes();
  if (static_cast<int64_t>(bytes.size()) != shard.tokens()) {
    throw Error("not the mask of this shard",
                {.where = mask.path(),
                 .expected = std::to_string(shard.tokens()) + " bytes, as many as " + shard.path() +
                             " has tokens",
                 .got = std::to_string(bytes.size())});
  }
  const size_t wrong = bytes.find_first_not_of(std::string_view("\0\1", 2));
  if (wrong == bytes.npos) return;
  throw Error("neither 0 nor 1", {.where = mask.path() + " at byte " + std::to_string(wrong),
                                  .expected = "1 where the token is to be predicted, 0 elsewhere",
                                  .got = std::to_string(static_cast<unsigned char>(bytes[wrong]))});
}

}  // namespace

std::vector<std::string> shard_directories(const std::string& glob) {
  const std::string parent = std::filesystem::path(glob).parent_path().string();
  if (exists(parent) || parent.find_first_of("*?[") == std::string::npos) return {parent};
  std::vector<std::string> directories;
  for (const std::string& path : glob_files(glob)) {
    std::string directory = std::filesystem::path(path).parent_path().string();
    if (std::ranges::find(directories, directory) == directories.end()) {
      directories.push_back(std::move(directory));
    }
  }
  return directories;
}

int64_t count_targets(const int32_t* targets, int64_t count) {
  return count - std::count(targets, targets + count, kIgnoredTarget);
}

Dataset::Dataset(const std::string& glob, ShardFormat format, int64_t vocab_size, bool masked)
    : glob_(glob), vocab_size_(vocab_size) {
  // A name that is there is meant as it stands, brackets and all.
  const auto paths = exists(glob) ? std::vector<std::string>{glob} : glob_files(glob);
  require_files(paths);
  const std::vector<std::string> named = named_masks(paths);
  for (const std::string& path : paths) {
    const std::string mask = mask_path(path);
    const bool has_mask = masked || std::ranges::find(named, mask) != named.end();
    masks_.push_back(has_mask ? std::optional<MappedFile>(mask) : std::nullopt);
  }
  require_checksums(paths);
  require_checksums(named);
  for (const std::string& path : paths) check_ids(shards_.emplace_back(path, format), vocab_size);
  for (size_t i = 0; i < masks_.size(); ++i) {
    if (masks_[i]) check_mask(*masks_[i], shards_[i]);
  }
}

std::vector<std::string> Dataset::files() const {
  std::vector<std::string> paths;
  for (const Shard& shard : shards_) paths.push_back(shard.path());
  for (const auto& mask : masks_) {
    if (mask) paths.push_back(mask->path());
  }
  return paths;
}

bool Dataset::is_masked() const {
  return std::ranges::any_of(masks_, [](const auto& mask) { return mask.has_value(); });
}

int64_t Dataset::tokens() const {
  int64_t tokens = 0;
  for (const Shard& shard : shards_) tokens += shard.tokens();
  return tokens;
}

int64_t Dataset::training_windows(int64_t length) const {
  const int64_t windows = total(shards_, length, whole_windows);
  if (windows > 0) return windows;
  int64_t longest = 0;
  for (const Shard& shard : shards_) longest = std::max(longest, shard.tokens());
  throw Error("too few tokens for one training sequence",
              {.where = glob_,
               .expected = "a shard of at least " + std::to_string(length + 1) +
                           " tokens (data.sequence_length + 1)",
               .got = std::to_string(tokens()) + " tokens, " + std::to_string(longest) +
                      " in the longest shard",
               .hint = "lower data.sequence_length or give more text"});
}

Window Dataset::training_window(int64_t index, int64_t length, int64_t shift) const {
  Window window = window_at(shards_, index, length, whole_windows);
  const int64_t last = shards_[static_cast<size_t>(window.shard)].tokens() - 1 - length;
  window.begin = std::min(window.begin + shift, last);
  return window;
}

int64_t Dataset::evaluation_windows(int64_t length) const {
  const int64_t windows = total(shards_, length, started_windows);
  if (windows > 0) return windows;
  throw Error("no token to predict", {.where = glob_,
                                      .expected = "a shard of at least 2 tokens",
                                      .got = std::to_string(shards_.size()) + " of 1 token each",
                                      .hint = "give more text, or none to evaluate on"});
}

Window Dataset::evaluation_window(int64_t index, int64_t length) const {
  Window window = window_at(shards_, index, length, started_windows);
  const int64_t targets = shards_[static_cast<size_t>(window.shard)].tokens() - 1;
  window.length = std::min(length, targets - window.begin);
  return window;
}

void Dataset::read(const Window& window, int32_t* inputs, int32_t* targets) const {
  const Shard& shard = shards_[static_cast<size_t>(window.shard)];
  shard.read(window.begin, window.length, vocab_size_, inputs);
  std::copy(inputs + 1, inputs + window.length, targets);
  shard.read(window.begin + window.length, 1, vocab_size_, targets + window.length - 1);
  const std::optional<MappedFile>& mask = masks_[static_cast<size_t>(window.shard)];
  if (!mask) return;
  const char* const learned = mask->bytes().data() + window.begin + 1;
  for (int64_t t = 0; t < window.length; ++t) {
    if (learned[t] == 0) targets[t] = kIgnoredTarget;
  }
}

}  // namespace cria
