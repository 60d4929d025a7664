// Rows of a table that point into nearly the same direction: tokens with similar vectors.
#pragma once

#include <cstdint>
#include <vector>

#include "exchange/tensor_file.h"

namespace cria {

struct NearRow {
  int64_t row;
  double cosine;  // to the row asked for

  bool operator==(const NearRow&) const = default;
};

// The `top` rows of a matrix with the largest cosine to one of its rows, that one left out; of
// equals the lowest first. Rows without a direction (all 0, or not finite) are left out. Error
// naming the tensor when it is no matrix, has no such row, or that row has no direction.
std::vector<NearRow> nearest_rows(const FileTensor& table, int64_t row, size_t top);

}  // namespace cria
