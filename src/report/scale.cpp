#include "report/scale.h"

#include <algorithm>
#include <cmath>

namespace cria {

double Scale::at(double value) const {
  if (logarithmic) return std::log(value / low) / std::log(high / low);
  return (value - low) / (high - low);
}

Scale linear_scale(double low, double high, int ticks, bool outwards) {
  if (!(high > low)) {  // one number: it is in the middle
    const double around = low == 0 ? 1 : std::abs(low) / 10;
    high = low + around;
    low -= around;
  }
  const double wanted = (high - low) / ticks;
  const double power = std::pow(10, std::floor(std::log10(wanted)));
  double step = 10 * power;
  for (const double factor : {5, 2, 1}) {
    // A hair below, as the quotient is rounded.
    if (factor * power >= wanted * (1 - 1e-9)) step = factor * power;
  }
  const double first = low / step, last = high / step;
  constexpr double kHair = 1e-6;  // of a step
  const double from = outwards ? std::floor(first + kHair) : std::ceil(first - kHair);
  const double to = outwards ? std::ceil(last - kHair) : std::floor(last + kHair);
  Scale scale;
  for (double k = from; k <= to; ++k) scale.ticks.push_back(k * step);
  scale.low = outwards ? scale.ticks.front() : low;
  scale.high = outwards ? scale.ticks.back() : high;
  return scale;
}

Scale logarithmic_scale(double low, double high, int ticks) {
  if (!(high > low * 1.01)) {
    low /= 2;
    high *= 2;
  }
  Scale scale = {.low = low, .high = high, .logarithmic = true, .ticks = {}};
  const auto within = [&](double tick) { return tick >= low * 0.999 && tick <= high * 1.001; };
  const int from = static_cast<int>(std::floor(std::log10(low)));
  const int to = static_cast<int>(std::ceil(std::log10(high)));
  for (const std::vector<double>& factors : {std::vector{1.0}, {1.0, 2.0, 5.0}}) {
    std::vector<double> all;
    for (int power = from; power <= to; ++power) {
      for (const double factor : factors) {
        if (within(factor * std::pow(10, power))) all.push_back(factor * std::pow(10, power));
      }
    }
    // Every so many of them, those of the largest number among them.
    const size_t every = (all.size() + static_cast<size_t>(ticks)) / static_cast<size_t>(ticks + 1);
    scale.ticks.clear();
    for (size_t i = 0; i < all.size(); i += std::max<size_t>(1, every)) {
      scale.ticks.push_back(all[i]);
    }
    if (scale.ticks.size() > 1) return scale;
  }
  scale.ticks = linear_scale(low, high, ticks, false).ticks;
  return scale;
}

Scale scale_for(const std::vector<const std::vector<double>*>& numbers, bool logarithmic, int ticks,
                bool outwards) {
  double low = INFINITY, high = -INFINITY;
  for (const std::vector<double>* const all : numbers) {
    for (const double value : *all) {
      if (!std::isfinite(value) || (logarithmic && value <= 0)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  if (low > high) low = high = 1;  // nothing to show
  return logarithmic ? logarithmic_scale(low, high, ticks)
                     : linear_scale(low, high, ticks, outwards);
}

}  // namespace cria
