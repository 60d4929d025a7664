// What the numbers of a tensor in a file look like: their moments, and how they are spread.
#pragma once

#include <cstdint>
#include <vector>

#include "exchange/tensor_file.h"

namespace cria {

// Computed in double. All but the counts are of the n finite numbers; std divides by n.
struct TensorStatistics {
  int64_t finite = 0, zeros = 0, nans = 0, infinities = 0;
  double mean = 0, std = 0, min = 0, max = 0, norm = 0;  // 0 when none is finite

  int64_t count() const { return finite + nans + infinities; }
  bool operator==(const TensorStatistics&) const = default;
};

// Uses all threads, and memory that does not depend on the size. Error when the tensor's numbers
// are of a kind that is not read.
TensorStatistics tensor_statistics(const FileTensor& tensor);

// Finite numbers counted by value, in bins of equal width from low to high.
struct Histogram {
  double low = 0, high = 0;
  std::vector<int64_t> counts;   // the last bin has `high` in it
  int64_t below = 0, above = 0;  // of low and high

  bool operator==(const Histogram&) const = default;
};

// The bins go from the smallest to the largest number, but at most 4 std from the mean.
// One bin when all are the same, none when there are none.
Histogram tensor_histogram(const FileTensor& tensor, const TensorStatistics& statistics,
                           size_t bins);

}  // namespace cria
