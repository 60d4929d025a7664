#include "cria/tensor/touched_rows.h"

namespace cria {

TouchedRows::TouchedRows(int64_t rows) : is_touched_(static_cast<size_t>(rows)) {
  rows_.reserve(static_cast<size_t>(rows));
}

void TouchedRows::add(int64_t row) {
  if (is_touched_[row]) return;
  is_touched_[row] = 1;
  rows_.push_back(static_cast<int32_t>(row));
}

void TouchedRows::add_all() {
  if (rows_.size() == is_touched_.size()) return;
  for (int64_t row = 0; row < static_cast<int64_t>(is_touched_.size()); ++row) add(row);
}

void TouchedRows::clear() {
  for (const int32_t row : rows_) is_touched_[row] = 0;
  rows_.clear();
}

}  // namespace cria
