#include "base/timing.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace cria {

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

double mean_of_end(const std::vector<double>& values) {
  const auto count = std::max<ptrdiff_t>(1, std::ssize(values) / 10);
  return std::accumulate(values.end() - count, values.end(), 0.0) / static_cast<double>(count);
}

double spread(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t n = values.size();
  return (values[3 * n / 4] - values[n / 4]) / values[n / 2];
}

Median median_interval(std::vector<double> values) {
  constexpr double kBeyond = 0.025;  // on either side
  std::ranges::sort(values);
  const double n = static_cast<double>(values.size());
  // The most for which that few values or fewer are below the median with no more probability.
  size_t skipped = 0;
  for (double i = 0, below = 0; i < n; ++i) {
    below += std::exp(std::lgamma(n + 1) - std::lgamma(i + 1) - std::lgamma(n - i + 1) -
                      n * std::log(2.0));
    if (below > kBeyond) break;
    skipped = static_cast<size_t>(i);
  }
  return {values[values.size() / 2], values[skipped], values[values.size() - 1 - skipped]};
}

}  // namespace cria
