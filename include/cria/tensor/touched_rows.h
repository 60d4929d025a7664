// Which rows of a table have received a gradient since its gradients were last zero, so that norm,
// optimizer step and zeroing visit these rows only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace cria {

class TouchedRows {
 public:
  // A record for a table of so many rows; all memory is taken here. Its other functions are for one
  // thread at a time.
  explicit TouchedRows(int64_t rows);

  void add(int64_t row);
  void add_all();  // for a gradient that is not sparse

  // Each row once, in the order in which they were first added.
  std::span<const int32_t> rows() const { return rows_; }

  void clear();

 private:
  std::vector<int32_t> rows_;
  std::vector<uint8_t> is_touched_;  // a byte per row of the table
};

}  // namespace cria
