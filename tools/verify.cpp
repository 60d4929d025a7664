// cria verify: whether what cria wrote is still what it was.
#include <cstdio>

#include "base/checksum.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/exchange/load_model.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "data/dataset_json.h"
#include "exchange/checkpoint_files.h"
#include "inference/shard_tokenizer.h"

namespace cria {
namespace {

// Whether there were checksums.
bool verify_dataset(const std::string& directory) {
  const DatasetDescription dataset = read_dataset_json(directory);
  std::vector<std::string> shards;
  bool all = true;
  for (const SplitDescription* split : {&dataset.train, &dataset.val}) {
    for (const std::string& name : split->shards) shards.push_back(join_path(directory, name));
    for (const std::string& name : split->masks) shards.push_back(join_path(directory, name));
    all = all && split->checksums.size() == split->shards.size() &&
          split->mask_checksums.size() == split->masks.size();
  }
  require_checksums(shards);
  if (has_tokenizer(directory)) {
    require_tokenizer_of(join_path(directory, "*"), *read_tokenizer(directory));
  }
  return all;
}

}  // namespace

int run_verify(const Arguments& arguments) {
  Options options("verify", "PATH...",
                  "Compare files with the checksums that were written with them. PATH is a "
                  "dataset, a checkpoint,\nor a run, which stands for all its checkpoints.",
                  {});
  if (!options.parse(arguments, 1)) return 0;
  verify_checksums(true);
  int code = 0;
  const auto verify = [&](const std::string& path, auto&& check) {
    try {
      std::printf("%s: %s\n", path.c_str(), check() ? "whole" : "no checksums to compare with");
    } catch (const Error& error) {
      std::printf("%s: DAMAGED\n  %s\n", path.c_str(), error.what());
      code = 1;
    }
  };
  for (const std::string& path : options.positional()) {
    std::vector<std::string> checkpoints = list_checkpoints(path);
    if (exists(best_path(path))) checkpoints.push_back(best_path(path));
    if (exists(join_path(path, kTrainerFile))) checkpoints.push_back(path);
    const bool is_dataset = exists(join_path(path, kDatasetJson));
    if (checkpoints.empty() && !is_dataset) {
      throw Error("nothing here that has checksums",
                  {.where = path,
                   .expected = "a dataset, a checkpoint or a run",
                   .got = exists(path) ? "none of them" : "no such directory"});
    }
    if (is_dataset) verify(path, [&] { return verify_dataset(path); });
    for (const std::string& checkpoint : checkpoints) {
      verify(checkpoint, [&] { return require_whole(checkpoint, CheckpointFiles::all); });
    }
  }
  return code;
}

}  // namespace cria
