#include "prepare/prepare_directory.h"

#include <filesystem>

#include "cria/base/error.h"
#include "data/dataset_json.h"

namespace cria {
namespace {

namespace fs = std::filesystem;

constexpr const char* kScratch = "prepare.tmp";
constexpr const char* kLock = "lock";

void require_absent(const std::string& path, const char* what) {
  if (!exists(path)) return;
  throw Error("exists already", {.where = path,
                                 .expected = "no dataset here yet",
                                 .got = what,
                                 .hint = "remove the dataset or choose another --out"});
}

void require_no_shard(const std::string& directory) {
  for (const std::string& name : list_directory(directory)) {
    const bool is_part = name.ends_with(".bin") || name.ends_with(".mask");
    if (is_part && (name.starts_with("train_") || name.starts_with("val_"))) {
      require_absent(join_path(directory, name), "a shard of one, or its mask");
    }
  }
}

// Clears away what a killed process left, under both names where it had begun to publish. Only the
// same file is taken for that: the directory may be a stranger's, and neither what a file says nor
// a link counts.
void clear(const std::string& scratch, const std::string& directory) {
  for (const std::string& name : list_directory(scratch)) {
    if (name == kLock) continue;
    const std::string left = join_path(scratch, name), published = join_path(directory, name);
    std::error_code none;
    if (fs::is_regular_file(fs::symlink_status(left)) && fs::equivalent(left, published, none) &&
        !remove_all(published)) {
      throw_system_error("cannot remove", published);
    }
    if (!remove_all(left)) throw_system_error("cannot remove", left);
  }
}

}  // namespace

PrepareDirectory::Scratch::~Scratch() {
  if (!path.empty()) remove_all(path);
}

PrepareDirectory::PrepareDirectory(const std::string& directory) : directory_(directory) {
  const std::string scratch = join_path(directory, kScratch);
  if (fs::is_symlink(scratch)) {
    throw Error("is a link", {.where = scratch,
                              .expected = "a directory that 'cria prepare' made",
                              .hint = "remove it or choose another --out"});
  }
  made_.make_directories(scratch);
  lock_ = std::make_unique<FileLock>(join_path(scratch, kLock),
                                     "another 'cria prepare' is at work here: wait for it, or "
                                     "choose another --out");
  scratch_.path = scratch;
  require_absent(join_path(directory, kDatasetJson), "the summary of one");
  clear(scratch, directory);
  require_no_shard(directory);
}

void PrepareDirectory::publish(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const std::string to = join_path(directory_, name);
    made_.will_write(to);
    publish_file(join_path(path(), name), to);
  }
  made_.dismiss();
}

}  // namespace cria
