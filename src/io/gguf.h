// The GGUF file format: typed metadata by key, and tensors. Versions 2 and 3, little-endian.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "cria/base/file.h"
#include "io/stored_tensor.h"

namespace cria {

// The alternatives stand at the format's numbers for their types: 0 u8 ... 12 f64. An array has one
// type for all its elements; arrays of arrays, at 9, are not read, as elsewhere.
using GgufArray =
    std::variant<std::vector<uint8_t>, std::vector<int8_t>, std::vector<uint16_t>,
                 std::vector<int16_t>, std::vector<uint32_t>, std::vector<int32_t>,
                 std::vector<float>, std::vector<bool>, std::vector<std::string>, std::monostate,
                 std::vector<uint64_t>, std::vector<int64_t>, std::vector<double>>;
using GgufValue = std::variant<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, float, bool,
                               std::string, GgufArray, uint64_t, int64_t, double>;
using GgufMetadata = std::vector<std::pair<std::string, GgufValue>>;

// A file opened for reading, mapped. Everything but the numbers is checked before anything is
// handed out; Error naming the file and the byte, key or tensor. Tensors of any type are listed;
// F32, F16, BF16 and Q8_0 can be read.
class GgufFile {
 public:
  explicit GgufFile(const std::string& path);

  const std::string& path() const { return file_.path(); }
  const GgufMetadata& metadata() const { return metadata_; }  // in the file's order
  bool has(std::string_view key) const { return keys_.contains(key); }

  // The value at a key. Error naming file and key when it is missing or of another kind. Any type
  // of integer is an integer (a u64 beyond int64 is an Error), f32 and f64 are real numbers.
  int64_t integer(std::string_view key) const;
  double real(std::string_view key) const;
  bool flag(std::string_view key) const;
  const std::string& text(std::string_view key) const;
  std::vector<int64_t> integers(std::string_view key) const;
  std::vector<double> reals(std::string_view key) const;
  const std::vector<std::string>& texts(std::string_view key) const;

  const std::vector<StoredTensor>& entries() const { return entries_; }  // in the file's order
  const StoredTensor* find(std::string_view name) const;

 private:
  const GgufValue& require(std::string_view key) const;
  std::string place(std::string_view key) const;

  MappedFile file_;
  GgufMetadata metadata_;
  std::vector<StoredTensor> entries_;
  // Views of the names in the file, and the places of what they name.
  std::map<std::string_view, size_t> keys_, names_;
};

// Writes version 3: metadata and tensors in the order given, each tensor padded to 32 bytes.
// Atomic. Error for what the format or ggml cannot hold: a key or name that occurs twice, a name of
// 64 bytes or more, a shape that has not one to four dimensions or has an empty one, rows that are
// not whole blocks of Q8_0, an alignment in the metadata other than 32.
void write_gguf(const std::string& path, const GgufMetadata& metadata,
                const std::vector<TensorSource>& tensors);

}  // namespace cria
