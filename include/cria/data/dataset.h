// Token shards as one sequence of windows to train or evaluate on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cria/base/file.h"
#include "cria/data/shard.h"

namespace cria {

// tokens begin .. begin + length of a shard are the inputs; the targets are one further on.
struct Window {
  int64_t shard, begin, length;
};

// The directories of the shards that a glob names, each once; what belongs to the shards lies
// beside them. When only the last part holds wildcards, they need not exist.
std::vector<std::string> shard_directories(const std::string& glob);

// Of one window or several: the targets that are not kIgnoredTarget.
int64_t count_targets(const int32_t* targets, int64_t count);

class Dataset {
 public:
  // glob: a file or a glob; shards in the order of their names. Error when nothing matches
  // or an id is not below vocab_size. Targets that a mask (see mask_path) leaves out are ignored:
  // the masks that the dataset.json beside the shards names are used. masked: each shard has one.
  // Error when one is missing or not of the shard's length.
  Dataset(const std::string& glob, ShardFormat format, int64_t vocab_size, bool masked = false);

  int64_t tokens() const;
  const std::string& glob() const { return glob_; }
  const std::vector<Shard>& shards() const { return shards_; }
  std::vector<std::string> files() const;  // paths of the shards, then of masks
  bool is_masked() const;                  // any shard

  // Windows of exactly `length` that do not overlap within a shard: (tokens - 1) / length each.
  // Error when no shard is long enough, naming the glob, the length and the tokens there are.
  int64_t training_windows(int64_t length) const;
  // Window `index` of them, moved on by `shift` tokens (so that an epoch need not cut the text
  // where the last one did), the last of a shard no further than its end.
  Window training_window(int64_t index, int64_t length, int64_t shift) const;

  // These windows include what is left at the end of each shard, and are never shifted: every token
  // but the first of a shard is a target exactly once.
  int64_t evaluation_windows(int64_t length) const;
  Window evaluation_window(int64_t index, int64_t length) const;

  // inputs[length] and targets[length] of a window; targets that the mask leaves out become
  // kIgnoredTarget.
  void read(const Window& window, int32_t* inputs, int32_t* targets) const;

 private:
  std::string glob_;
  int64_t vocab_size_;
  std::vector<Shard> shards_;
  std::vector<std::optional<MappedFile>> masks_;
};

}  // namespace cria
