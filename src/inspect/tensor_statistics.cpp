#include "inspect/tensor_statistics.h"

#include <algorithm>
#include <cmath>

#include "inspect/tensor_chunks.h"

namespace cria {
namespace {

// The moments of some of the numbers; squares: the sum of those of the differences to the mean.
struct Moments {
  TensorStatistics counts;  // with min and max
  double mean = 0, squares = 0, norm_squares = 0;
};

// numbers are overwritten.
Moments measure(float* numbers, int64_t count) {
  Moments part;
  TensorStatistics& counts = part.counts;
  float* const end = std::remove_if(numbers, numbers + count, [&](float value) {
    counts.nans += std::isnan(value);
    counts.infinities += std::isinf(value);
    return !std::isfinite(value);
  });
  counts.finite = end - numbers;
  if (counts.finite == 0) return part;
  float min = numbers[0], max = numbers[0];
  for (const float* x = numbers; x < end; ++x) {
    min = std::min(min, *x);
    max = std::max(max, *x);
    counts.zeros += *x == 0;
  }
  counts.min = static_cast<double>(min);
  counts.max = static_cast<double>(max);
  const auto value = [&](int64_t i) { return static_cast<double>(numbers[i]); };
  part.mean = sum_terms(counts.finite, value) / static_cast<double>(counts.finite);
  part.norm_squares = sum_terms(counts.finite, [&](int64_t i) { return value(i) * value(i); });
  part.squares = sum_terms(
      counts.finite, [&](int64_t i) { return (value(i) - part.mean) * (value(i) - part.mean); });
  return part;
}

// Chan, Golub and LeVeque 1979: with d = mean_b - mean_a and n = n_a + n_b
//   mean = mean_a + d n_b / n,  squares = squares_a + squares_b + d^2 n_a n_b / n
void merge(Moments& all, const Moments& part) {
  TensorStatistics& a = all.counts;
  const TensorStatistics& b = part.counts;
  a.nans += b.nans;
  a.infinities += b.infinities;
  if (b.finite == 0) return;
  const double n_a = static_cast<double>(a.finite), n_b = static_cast<double>(b.finite);
  const double difference = part.mean - all.mean, n = n_a + n_b;
  a.min = a.finite == 0 ? b.min : std::min(a.min, b.min);
  a.max = a.finite == 0 ? b.max : std::max(a.max, b.max);
  all.mean += difference * (n_b / n);
  all.squares += part.squares + difference * difference * (n_a * (n_b / n));
  all.norm_squares += part.norm_squares;
  a.zeros += b.zeros;
  a.finite += b.finite;
}

// Past the ends: -1, and the number of bins.
int64_t bin_of(const Histogram& histogram, double value) {
  const int64_t bins = static_cast<int64_t>(histogram.counts.size());
  if (value < histogram.low) return -1;
  if (value > histogram.high) return bins;
  const double width = histogram.high - histogram.low;
  if (width == 0) return 0;
  const double place = (value - histogram.low) / width * static_cast<double>(bins);
  return std::min(static_cast<int64_t>(place), bins - 1);
}

}  // namespace

TensorStatistics tensor_statistics(const FileTensor& tensor) {
  tensor.require_numbers();
  ThreadBuffers buffers(kChunkNumbers);
  Moments all;
  for_each_chunk(
      tensor.size(), kChunkNumbers,
      [&](int64_t first, int64_t count, int thread) {
        float* const numbers = buffers.of(thread);
        tensor.read(first, count, numbers);
        return measure(numbers, count);
      },
      [&](const Moments& part) { merge(all, part); });
  TensorStatistics& result = all.counts;
  if (result.finite == 0) return result;
  result.mean = all.mean;
  result.std = std::sqrt(all.squares / static_cast<double>(result.finite));
  result.norm = std::sqrt(all.norm_squares);
  return result;
}

Histogram tensor_histogram(const FileTensor& tensor, const TensorStatistics& statistics,
                           size_t bins) {
  tensor.require_numbers();
  constexpr double kDeviations = 4;
  Histogram all;
  if (statistics.finite == 0) return all;
  all.low = std::max(statistics.min, statistics.mean - kDeviations * statistics.std);
  all.high = std::min(statistics.max, statistics.mean + kDeviations * statistics.std);
  // The mean of equal numbers may be rounded.
  if (statistics.min == statistics.max) all.low = all.high = statistics.min;
  all.counts.assign(all.low < all.high ? bins : 1, 0);
  ThreadBuffers buffers(kChunkNumbers);
  for_each_chunk(
      tensor.size(), kChunkNumbers,
      [&](int64_t first, int64_t count, int thread) {
        float* const numbers = buffers.of(thread);
        tensor.read(first, count, numbers);
        std::vector<int64_t> part(all.counts.size() + 2);
        for (int64_t i = 0; i < count; ++i) {
          if (!std::isfinite(numbers[i])) continue;
          ++part[static_cast<size_t>(bin_of(all, static_cast<double>(numbers[i])) + 1)];
        }
        return part;
      },
      [&](const std::vector<int64_t>& part) {
        all.below += part.front();
        all.above += part.back();
        for (size_t i = 0; i < all.counts.size(); ++i) all.counts[i] += part[i + 1];
      });
  return all;
}

}  // namespace cria
