#include "io/stored_tensor.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "base/unicode.h"
#include "cria/base/error.h"

namespace cria {
namespace {

// Enough to keep all cores busy, little beside any model.
constexpr int64_t kPieceNumbers = 1 << 20;

}  // namespace

std::string tensor_place(std::string_view path, std::string_view name) {
  return std::string(path) + ": tensor " + quote(name);
}

int64_t row_size(const std::vector<int64_t>& shape) {
  return shape.empty() ? 1 : shape.back();
}

int64_t row_count(const std::vector<int64_t>& shape) {
  int64_t rows = 1;
  for (size_t axis = 0; axis + 1 < shape.size(); ++axis) rows *= shape[axis];
  return rows;
}

void require_shape(const std::vector<int64_t>& shape, const ConstTensor& like,
                   const std::string& where) {
  if (std::ranges::equal(shape, std::span(like.shape.data(), static_cast<size_t>(like.rank)))) {
    return;
  }
  throw Error("wrong shape",
              {.where = where, .expected = like.to_string(), .got = shape_string(shape)});
}

void StoredTensor::require_floats() const {
  if (format) return;
  throw Error("wrong dtype", {.where = where, .expected = "F32, F16, BF16 or Q8_0", .got = dtype});
}

void StoredTensor::read_rows(int64_t first, int64_t count, float* out) const {
  require_floats();
  const int64_t rows = row_count(shape);
  if (first < 0 || count < 0 || first > rows || count > rows - first) {
    throw Error("no such rows",
                {.where = where,
                 .expected = "rows 0 to " + std::to_string(rows),
                 .got = std::to_string(first) + " and " + std::to_string(count) + " from there"});
  }
  const int64_t size = row_size(shape);
  decode_numbers(*format, bytes.data() + encoded_bytes(*format, first * size), count * size, out);
}

TensorSource::TensorSource(std::string name_, std::vector<int64_t> shape_, NumberFormat format_,
                           ReadRows rows_)
    : name(std::move(name_)), shape(std::move(shape_)), format(format_), rows(std::move(rows_)) {}

TensorSource::TensorSource(std::string name_, const ConstTensor& tensor, NumberFormat format_)
    : name(std::move(name_)),
      shape(tensor.shape.begin(), tensor.shape.begin() + tensor.rank),
      format(format_),
      rows([data = tensor.data, size = tensor.columns()](int64_t first, int64_t count, float* out) {
        std::memcpy(out, data + first * size, static_cast<size_t>(count * size) * sizeof(float));
      }) {
  if (!tensor.is_contiguous()) {
    throw Error("cannot write a strided view", {.where = "tensor " + quote(name)});
  }
}

uint64_t TensorSource::bytes() const {
  return encoded_bytes(format, row_count(shape) * row_size(shape));
}

void TensorSource::write_to(AtomicFile& file, const std::string& path) const {
  const int64_t size = row_size(shape), total = size == 0 ? 0 : row_count(shape);
  if (total == 0) return;
  const int64_t piece = std::clamp<int64_t>(kPieceNumbers / size, 1, total);
  std::vector<float> numbers(static_cast<size_t>(piece * size));
  std::vector<char> encoded(encoded_bytes(format, piece * size));
  for (int64_t first = 0; first < total; first += piece) {
    const int64_t count = std::min(piece, total - first);
    rows(first, count, numbers.data());
    encode_numbers(format, numbers.data(), count * size, encoded.data(), tensor_place(path, name));
    file.write({encoded.data(), encoded_bytes(format, count * size)});
  }
}

}  // namespace cria
