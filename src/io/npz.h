// NumPy's .npz files: a zip archive with one .npy file for each array.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cria/base/file.h"
#include "io/npy.h"
#include "io/zip.h"

namespace cria {

// Writes arrays one after the other, uncompressed; the same arrays give the same bytes. The file
// appears with commit(). An array's name is what NumPy calls it: without ".npy". Error when it is
// no plain file name or was there before.
class NpzWriter {
 public:
  explicit NpzWriter(const std::string& path);

  void add(const std::string& name, const std::vector<int64_t>& shape,
           std::span<const float> values);
  void add(const std::string& name, const std::vector<int64_t>& shape,
           std::span<const int64_t> values);
  void commit();

 private:
  std::string place(const std::string& name) const;
  void add(const std::string& name, std::string_view header, std::string_view data);

  std::string path_;
  AtomicFile file_;
  std::vector<ZipMember> members_;
  uint64_t end_ = 0;  // of what is written
};

// Reads what NpzWriter and numpy.savez write. Error as of ZipFile, when a member is no .npy file,
// and as of parse_npy.
class NpzFile {
 public:
  explicit NpzFile(const std::string& path);

  const std::vector<std::string>& names() const { return names_; }  // in the archive's order
  NpyArray read(std::string_view name) const;
  NpyIntegers read_integers(std::string_view name) const;

 private:
  ZipFile file_;
  std::vector<std::string> names_;
};

}  // namespace cria
