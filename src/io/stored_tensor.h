// A tensor in a file, and one on its way into a file, whatever the file's format.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cria/base/file.h"
#include "cria/io/number_format.h"
#include "cria/tensor/tensor.h"

namespace cria {

// Rows are what the last dimension counts the elements of: [B, T, C] has B * T rows of C; a vector
// is one row, and so is a scalar.
int64_t row_count(const std::vector<int64_t>& shape);
int64_t row_size(const std::vector<int64_t>& shape);

// Error naming `where` and both shapes unless they are the same.
void require_shape(const std::vector<int64_t>& shape, const ConstTensor& like,
                   const std::string& where);

// A tensor in a file that is open.
struct StoredTensor {
  std::string name;
  std::string dtype;                   // the file's word for it: "BF16", "I64", "Q4_K"
  std::optional<NumberFormat> format;  // none: numbers that are no floats, or not read by cria
  std::vector<int64_t> shape;          // [out, in]
  std::string_view bytes;              // as stored, while the file is open
  std::string where;                   // file and name, for messages

  // Its numbers as fp32, exactly: rows first to first + count, into out [count, row size]. Error
  // naming the tensor when its dtype is not read as numbers, or when it has no such rows.
  void read_rows(int64_t first, int64_t count, float* out) const;
  void require_floats() const;  // the first of these errors
};

// A tensor to be written.
struct TensorSource {
  using ReadRows = std::function<void(int64_t first, int64_t count, float* out)>;

  // rows(first, count, out) puts rows first to first + count at out [count, row size]. It is called
  // when the tensor's turn comes, from the first row to the last.
  TensorSource(std::string name, std::vector<int64_t> shape, NumberFormat format, ReadRows rows);
  // The numbers of a contiguous view, which stay where they are until the file is written. Error
  // for a strided one.
  TensorSource(std::string name, const ConstTensor& tensor,
               NumberFormat format = NumberFormat::f32);

  std::string name;
  std::vector<int64_t> shape;
  NumberFormat format;
  ReadRows rows;

  uint64_t bytes() const;  // as stored
  // Appends all of them, a few megabytes at a time. `path` is the file's, for messages.
  void write_to(AtomicFile& file, const std::string& path) const;
};

// "file: tensor 'name'"
std::string tensor_place(std::string_view path, std::string_view name);

}  // namespace cria
