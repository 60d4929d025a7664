// The safetensors file format: a JSON header and raw little-endian tensors.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cria/base/file.h"
#include "cria/tensor/tensor.h"
#include "io/stored_tensor.h"

namespace cria {

// Tensors opened for reading, mapped: one file, or all that a large model is cut into. The headers
// are checked completely before anything is handed out: sizes, ranges, no overlap, no gap. Error
// naming the file and the tensor.
class SafetensorsFile {
 public:
  // A file; an index of several ("...index.json"), each tensor in the one it says and in no other;
  // or the directory of a model, where model.safetensors.index.json goes before model.safetensors.
  explicit SafetensorsFile(const std::string& path);

  const std::string& path() const { return path_; }  // of the file or the index
  // All tensors, in the order of the files' names and then of the data.
  const std::vector<StoredTensor>& entries() const { return entries_; }
  const StoredTensor* find(std::string_view name) const;
  // The metadata of the first file.
  const std::vector<std::pair<std::string, std::string>>& metadata() const { return metadata_; }

  // The tensor, as one that fits `like`. Error when it is missing, when its shape is not like's
  // (both are named), or when its dtype is not read as floats.
  const StoredTensor& require(std::string_view name, const ConstTensor& like) const;
  // Converts the tensor that out, which is contiguous, requires to fp32, exactly.
  void read(std::string_view name, const Tensor& out) const;

 private:
  void add_file(const std::string& path);
  void add_indexed_files();

  std::string path_;
  std::vector<MappedFile> files_;
  std::vector<StoredTensor> entries_;
  std::map<std::string, size_t, std::less<>> places_;  // in entries_
  std::vector<std::pair<std::string, std::string>> metadata_;
};

// Writes tensors as the reference writer does: sorted by width and then by name, back to back, the
// header padded to 8 bytes, "__metadata__" {"format": "pt"} first. Atomic. Error for a name that
// occurs twice, and for Q8_0, which the format does not know.
void write_safetensors(const std::string& path, std::vector<TensorSource> tensors);

}  // namespace cria
