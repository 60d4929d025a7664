// The directory of a dataset while it is made: all of it appears, or nothing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cria/base/file.h"

namespace cria {

class PrepareDirectory {
 public:
  // Makes DIRECTORY/prepare.tmp, which no other process can have at the same time; one of a process
  // that was killed is cleared away. Error when DIRECTORY has a dataset: stale shards would be read
  // together with the new ones.
  explicit PrepareDirectory(const std::string& directory);

  const std::string& path() const { return scratch_.path; }  // where to write

  // Puts these files from path() into the directory, in order; dataset.json is the last.
  void publish(const std::vector<std::string>& names);

 private:
  // Removed with all that is in it.
  struct Scratch {
    std::string path;
    ~Scratch();
  };

  std::string directory_;
  Rollback made_;
  std::unique_ptr<FileLock> lock_;
  Scratch scratch_;
};

}  // namespace cria
