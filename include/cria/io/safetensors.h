// The safetensors file format: a JSON header and raw little-endian tensors.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cria/base/file.h"
#include "cria/tensor/tensor.h"

namespace cria {

enum class DType { f32, f16, bf16, i32 };

// A file opened for reading, mapped; the header is checked completely before anything is handed
// out: sizes, ranges, no overlap, no gap. Error naming the file and the tensor.
class SafetensorsFile {
 public:
  struct Entry {
    std::string name;
    DType dtype;
    std::vector<int64_t> shape;
    uint64_t begin, end;  // bytes, from the start of the data
  };

  explicit SafetensorsFile(const std::string& path);

  const std::string& path() const { return file_.path(); }
  const std::vector<Entry>& entries() const { return entries_; }  // in the order of the data
  const Entry* find(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& metadata() const { return metadata_; }

  // The tensor, as one that fits `like`. Error when it is missing, when its shape is not like's
  // (both are named), or when its dtype is no float.
  const Entry& require(std::string_view name, const ConstTensor& like) const;
  // Converts the tensor that out, which is contiguous, requires to fp32, exactly.
  void read(std::string_view name, const Tensor& out) const;
  // An i32 tensor of any shape.
  std::vector<int32_t> read_i32(std::string_view name) const;

 private:
  const Entry& require(std::string_view name) const;

  MappedFile file_;
  std::vector<Entry> entries_;
  std::vector<std::pair<std::string, std::string>> metadata_;
  size_t data_begin_ = 0;
};

struct NamedTensor {
  std::string name;
  ConstTensor tensor;  // contiguous
};

// Writes fp32 tensors as the reference writer does: sorted by name, back to back, the header padded
// to 8 bytes, "__metadata__" {"format": "pt"} first. Atomic.
void write_safetensors(const std::string& path, std::vector<NamedTensor> tensors);

}  // namespace cria
