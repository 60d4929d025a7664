#include "exchange/matrix_file.h"

#include <string_view>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "io/npy.h"
#include "io/safetensors.h"

namespace cria {
namespace {

constexpr std::string_view kSafetensors = ".safetensors";

void require_matrix(const std::vector<int64_t>& shape, const std::string& where) {
  if (shape.size() == 2) return;
  throw Error("not a matrix",
              {.where = where, .expected = "[rows, columns]", .got = shape_string(shape)});
}

Matrix read_npy_matrix(const std::string& path) {
  NpyArray array = read_npy(path);
  require_matrix(array.shape, path);
  return {array.shape[0], array.shape[1], std::move(array.values)};
}

// The name of the only matrix of floats in the file.
std::string only_matrix(const SafetensorsFile& file) {
  std::string names;
  const StoredTensor* found = nullptr;
  int64_t count = 0;
  for (const StoredTensor& entry : file.entries()) {
    if (entry.shape.size() != 2 || !entry.format) continue;
    found = &entry;
    if (++count <= 5) names += (names.empty() ? "" : ", ") + quote(entry.name);
  }
  if (count == 1) return found->name;
  if (count > 5) names += " and " + std::to_string(count - 5) + " more";
  throw Error(count == 0 ? "no matrix in this file" : "more than one matrix in this file",
              {.where = file.path(),
               .expected = "one tensor of two dimensions, F32, F16 or BF16",
               .got = names,
               .hint = count == 0 ? "" : "name one: " + file.path() + ":TENSOR"});
}

Matrix read_tensor(const SafetensorsFile& file, const std::string& name) {
  const StoredTensor* const entry = file.find(name);
  Matrix matrix;
  if (entry) {
    require_matrix(entry->shape, entry->where);
    matrix.rows = entry->shape[0];
    matrix.columns = entry->shape[1];
    matrix.values.resize(static_cast<size_t>(matrix.rows * matrix.columns));
  }
  file.read(name, Tensor(matrix.values.data(), {matrix.rows, matrix.columns}));
  return matrix;
}

}  // namespace

Matrix read_matrix(const std::string& source) {
  if (source.ends_with(".npy")) return read_npy_matrix(source);
  const size_t at = source.find(std::string(kSafetensors) + ":");
  if (at != source.npos) {
    const size_t end = at + kSafetensors.size();
    return read_tensor(SafetensorsFile(source.substr(0, end)), source.substr(end + 1));
  }
  if (source.ends_with(kSafetensors)) {
    const SafetensorsFile file(source);
    return read_tensor(file, only_matrix(file));
  }
  throw Error(
      "not the name of a matrix",
      {.where = source, .expected = "FILE.npy, FILE.safetensors or FILE.safetensors:TENSOR"});
}

}  // namespace cria
