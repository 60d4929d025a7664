#include "inspect/nearest_rows.h"

#include <algorithm>
#include <cmath>

#include "cria/base/error.h"
#include "cria/tensor/tensor.h"
#include "inspect/tensor_chunks.h"

namespace cria {
namespace {

bool is_nearer(const NearRow& a, const NearRow& b) {
  return a.cosine != b.cosine ? a.cosine > b.cosine : a.row < b.row;
}

// Keeps the nearest.
void trim(std::vector<NearRow>& rows, size_t top) {
  const size_t kept = std::min(top, rows.size());
  std::partial_sort(rows.begin(), rows.begin() + static_cast<int64_t>(kept), rows.end(), is_nearer);
  rows.resize(kept);
}

}  // namespace

std::vector<NearRow> nearest_rows(const FileTensor& table, int64_t row, size_t top) {
  table.require_numbers();
  if (table.shape.size() != 2) {
    throw Error(
        "not a matrix",
        {.where = table.where, .expected = "[rows, columns]", .got = shape_string(table.shape)});
  }
  const int64_t rows = table.shape[0], size = table.shape[1];
  if (row < 0 || row >= rows) {
    throw Error("no such row", {.where = table.where,
                                .expected = "0 to " + std::to_string(rows - 1),
                                .got = std::to_string(row)});
  }
  std::vector<float> wanted(static_cast<size_t>(size));
  table.read(row * size, size, wanted.data());
  const double norm = std::sqrt(dot(wanted.data(), wanted.data(), size));
  if (!std::isfinite(norm) || norm == 0) {
    throw Error("the row has no direction",
                {.where = table.where + ", row " + std::to_string(row),
                 .got = norm == 0 ? "all numbers are 0" : "numbers that are not finite"});
  }
  const int64_t chunk = std::max<int64_t>(1, kChunkNumbers / size);
  ThreadBuffers buffers(chunk * size);
  std::vector<NearRow> nearest;
  for_each_chunk(
      rows, chunk,
      [&](int64_t first, int64_t count, int thread) {
        float* const numbers = buffers.of(thread);
        table.read(first * size, count * size, numbers);
        std::vector<NearRow> part;
        for (int64_t i = 0; i < count; ++i) {
          const float* const other = numbers + i * size;
          // This does not overflow: squares of fp32 numbers are far from the ends of double.
          const double product = dot(wanted.data(), other, size);
          const double cosine = product / (norm * std::sqrt(dot(other, other, size)));
          if (first + i == row || !std::isfinite(cosine)) continue;
          part.push_back({first + i, std::clamp(cosine, -1.0, 1.0)});
        }
        trim(part, top);
        return part;
      },
      [&](const std::vector<NearRow>& part) {
        nearest.insert(nearest.end(), part.begin(), part.end());
        trim(nearest, top);
      });
  return nearest;
}

}  // namespace cria
