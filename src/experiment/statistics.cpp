#include "experiment/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cria {
namespace {

// The regularised incomplete beta function I_x(a, b), by its continued fraction (Abramowitz &
// Stegun 26.5.8), evaluated with Lentz's method. Converges fast for x < (a + 1) / (a + b + 2).
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300, kEnough = 1e-16;
  const auto nonzero = [](double value) { return std::abs(value) < kTiny ? kTiny : value; };
  double c = 1, d = 1 / nonzero(1 - (a + b) * x / (a + 1)), fraction = d;
  for (int m = 1; m <= 10000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    double factor = 1;
    for (const double term : {even, odd}) {
      d = 1 / nonzero(1 + term * d);
      c = nonzero(1 + term / c);
      factor *= c * d;
    }
    fraction *= factor;
    if (std::abs(factor - 1) < kEnough) break;
  }
  return std::exp(a * std::log(x) + b * std::log1p(-x) + std::lgamma(a + b) - std::lgamma(a + 1) -
                  std::lgamma(b)) *
         fraction;
}

double incomplete_beta(double a, double b, double x) {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  return x < (a + 1) / (a + b + 2) ? beta_fraction(a, b, x) : 1 - beta_fraction(b, a, 1 - x);
}

// P(|T| > t) = I_{n / (n + t^2)}(n / 2, 1 / 2) for n degrees of freedom.
double student_t_tails(double t, double degrees) {
  return incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t));
}

}  // namespace

Sample sample_of(std::span<const double> values) {
  Sample sample{.count = values.size()};
  // From the first one on, so that the mean of equal values is exactly that value.
  for (const double value : values) sample.mean += value - values.front();
  sample.mean = values.front() + sample.mean / static_cast<double>(values.size());
  double squares = 0;
  for (const double value : values) squares += (value - sample.mean) * (value - sample.mean);
  if (values.size() > 1)
    sample.deviation = std::sqrt(squares / static_cast<double>(values.size() - 1));
  return sample;
}

double student_t_quantile(double probability, double degrees) {
  const double tails = 2 * std::min(probability, 1 - probability);
  double low = 0, high = 1;
  while (student_t_tails(high, degrees) > tails) high *= 2;
  for (double middle; middle = (low + high) / 2, middle > low && middle < high;) {
    (student_t_tails(middle, degrees) > tails ? low : high) = middle;
  }
  return probability < 0.5 ? -low : low;
}

double half_width_95(const Sample& sample) {
  if (sample.count < 2) return std::numeric_limits<double>::infinity();
  if (sample.deviation == 0) return 0;
  const double n = static_cast<double>(sample.count);
  return student_t_quantile(0.975, n - 1) * sample.deviation / std::sqrt(n);
}

}  // namespace cria
