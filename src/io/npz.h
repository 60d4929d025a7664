// NumPy's .npz files: a zip archive with one .npy file for each array.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cria/base/file.h"
#include "io/zip.h"

namespace cria {

// Writes arrays one after the other, uncompressed; the same arrays give the same bytes. The file
// appears with commit(). An array's name is what NumPy calls it, without ".npy", and no other's.
class NpzWriter {
 public:
  explicit NpzWriter(const std::string& path);

  void add(const std::string& name, const std::vector<int64_t>& shape,
           std::span<const float> values);
  void commit();

 private:
  std::string path_;
  AtomicFile file_;
  std::vector<ZipMember> members_;
  uint64_t end_ = 0;  // of what is written
};

}  // namespace cria
