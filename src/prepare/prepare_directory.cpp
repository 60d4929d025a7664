#include "prepare/prepare_directory.h"

#include <filesystem>

#include "cria/base/error.h"
#include "data/dataset_json.h"

namespace cria {
namespace {

namespace fs = std::filesystem;

constexpr const char* kScratch = "prepare.tmp";
constexpr const char* kLock = "lock";

void require_no_dataset(const std::string& directory) {
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    const bool is_shard =
        name.ends_with(".bin") && (name.starts_with("train_") || name.starts_with("val_"));
    if (name != kDatasetJson && !is_shard) continue;
    throw Error("exists already",
                {.where = entry.path().string(),
                 .expected = "no dataset here yet",
                 .got = name == kDatasetJson ? "the summary of one" : "a shard of one",
                 .hint = "remove the dataset or choose another --out"});
  }
}

// Clears away what a killed process left. If its dataset.json is there, it may have moved some of
// the shards that this names into the directory: dataset.json itself is moved last.
void clear(const std::string& scratch, const std::string& directory) {
  const DatasetDescription begun = read_dataset_json(scratch);
  for (const SplitDescription* split : {&begun.train, &begun.val}) {
    for (const std::string& name : split->shards) fs::remove(join_path(directory, name));
  }
  for (const auto& entry : fs::directory_iterator(scratch)) {
    if (entry.path().filename() != kLock) fs::remove_all(entry.path());
  }
}

}  // namespace

PrepareDirectory::Scratch::~Scratch() {
  std::error_code ignored;
  if (!path.empty()) fs::remove_all(path, ignored);
}

PrepareDirectory::PrepareDirectory(const std::string& directory) : directory_(directory) {
  const std::string scratch = join_path(directory, kScratch);
  made_.make_directories(scratch);
  lock_ = std::make_unique<FileLock>(join_path(scratch, kLock),
                                     "another 'cria prepare' is at work here: wait for it, or "
                                     "choose another --out");
  scratch_.path = scratch;
  clear(scratch, directory);
  require_no_dataset(directory);
}

void PrepareDirectory::publish(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const std::string to = join_path(directory_, name);
    made_.will_write(to);
    move_file(join_path(path(), name), to);
  }
  made_.dismiss();
}

}  // namespace cria
