#include "exchange/rope_layout.h"

#include <algorithm>

namespace cria {
namespace {

// Elements from one row to the next; those of a bias are rows of one.
int64_t row_elements(const ConstTensor& tensor, int64_t head_dim) {
  const bool fits = (tensor.rank == 1 || tensor.rank == 2) && tensor.is_contiguous() &&
                    head_dim > 0 && head_dim % 2 == 0 && tensor.shape[0] % head_dim == 0;
  if (!fits) {
    throw_shape_error("rows of heads",
                      "whole heads of " + std::to_string(head_dim) + ", an even number of rows",
                      tensor.to_string());
  }
  return tensor.rank == 1 ? 1 : tensor.shape[1];
}

int64_t half_split_row(int64_t interleaved, int64_t head_dim) {
  const int64_t inside = interleaved % head_dim;
  return interleaved - inside + inside % 2 * (head_dim / 2) + inside / 2;
}

}  // namespace

int64_t interleaved_row(int64_t half_split, int64_t head_dim) {
  const int64_t inside = half_split % head_dim, half = head_dim / 2;
  return half_split - inside + 2 * (inside % half) + inside / half;
}

void read_interleaved(const ConstTensor& half_split, int64_t head_dim, int64_t first, int64_t count,
                      float* out) {
  const int64_t elements = row_elements(half_split, head_dim);
  for (int64_t row = first; row < first + count; ++row) {
    out = std::copy_n(half_split.data + half_split_row(row, head_dim) * elements, elements, out);
  }
}

}  // namespace cria
