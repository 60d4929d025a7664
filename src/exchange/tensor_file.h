// A file of tensors, whatever its format: safetensors, GGUF or llama2.c's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/stored_tensor.h"

namespace cria {

class SafetensorsFile;
class GgufFile;
class Llama2cFile;

enum class TensorFileFormat { safetensors, gguf, llama2c };

const char* format_name(TensorFileFormat format);  // "safetensors", "GGUF", "llama2.c"

// The format that a file's first bytes show; nothing when it is none of these. A directory with
// model.safetensors or its index, and an index itself, are safetensors.
std::optional<TensorFileFormat> tensor_file_format(const std::string& path);

struct FileTensor {
  // Reads elements [first, first + count) of the tensor, row-major, as fp32.
  using Read = std::function<void(int64_t first, int64_t count, float* out)>;

  std::string name;            // as the file has it
  std::string dtype;           // the file's word for it
  std::vector<int64_t> shape;  // [out, in]
  std::string_view bytes;      // as stored, while the file is open
  std::string where;           // file and name, for messages
  Read read;                   // on any thread; empty when the dtype is not read as numbers
  // Its name in Hugging Face's Llama; "" when it has none there.
  std::string hugging_face_name;
  // The number of heads of a query or key in which the pairs that rotate are side by side. 0 where
  // rows are in Hugging Face's order.
  int64_t interleaved_heads = 0;

  int64_t size() const;          // elements
  void require_numbers() const;  // Error when they are not read
  // Whether these are the frequencies of RoPE, which some writers store though the config says
  // them.
  bool is_computed() const;
};

// The tensor with Hugging Face's name, its rows in that order: HF[h d + i] = Meta[h d + 2 i] and
// HF[h d + d/2 + i] = Meta[h d + 2 i + 1] for heads h of d rows. It must have such a name.
FileTensor as_hugging_face(const FileTensor& tensor);

class TensorFile {
 public:
  // Error naming the file when it is none of the formats, or is damaged.
  explicit TensorFile(const std::string& path);
  // The file is open already, and must stay so.
  explicit TensorFile(const SafetensorsFile& file);
  explicit TensorFile(const GgufFile& file);
  explicit TensorFile(const Llama2cFile& file);

  const std::string& path() const { return path_; }
  TensorFileFormat format() const { return format_; }
  const std::string& summary() const { return summary_; }  // "llama2.c, version 2, groups of 64"
  // Whether the head is the embedding; nothing where the format does not say.
  std::optional<bool> tied() const { return tied_; }
  const std::vector<FileTensor>& tensors() const { return tensors_; }  // in the file's order

  const FileTensor* find(std::string_view name) const;
  const FileTensor* find_hugging_face(std::string_view name) const;
  // What a file of this format calls the tensor of a model, whether it is there or not.
  std::string name_of(const std::string& hugging_face_name) const;
  const FileTensor& require(std::string_view name) const;  // Error with the nearest name

 private:
  TensorFile(const std::string& path, TensorFileFormat format)
      : path_(path), summary_(format_name(format)), format_(format) {}

  std::string path_, summary_;
  TensorFileFormat format_;
  std::optional<bool> tied_;
  std::vector<FileTensor> tensors_;
  std::shared_ptr<const void> file_;  // what the tensors look into, if it was opened here
};

}  // namespace cria
