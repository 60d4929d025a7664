// Files for tests.
#pragma once

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "cria/base/file.h"

namespace cria {

// Writes thousands of tiny files quickly, in place: write_file makes a new file and flushes it.
inline void write_quickly(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::app) << "";
  std::fstream(path, std::ios::binary | std::ios::in | std::ios::out) << bytes;
  std::filesystem::resize_file(path, bytes.size());
}

// A real text or vocabulary in the folder that CRIA_SHARED_DATA names; "" where it is not.
inline std::string shared_file(const std::string& name) {
  const char* const folder = std::getenv("CRIA_SHARED_DATA");
  const std::string path = folder ? std::string(folder) + "/" + name : "";
  return std::filesystem::exists(path) ? path : "";
}

// Every path below a directory, relative to it, with a file's bytes.
inline std::map<std::string, std::string> files_below(const std::string& directory) {
  std::map<std::string, std::string> all;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    const std::string name = std::filesystem::relative(entry.path(), directory).string();
    all[name] = entry.is_directory() ? "directory" : read_file(entry.path().string());
  }
  return all;
}

// An empty directory of its own, removed with all it holds.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    path_ = (std::filesystem::temp_directory_path() / "cria_test_XXXXXX").string();
    if (!::mkdtemp(path_.data())) throw std::runtime_error("no temporary directory " + path_);
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

  // What is directly in it, sorted: to see that nothing was left behind.
  std::vector<std::string> names() const { return list_directory(path_); }

 private:
  std::string path_;
};

}  // namespace cria
