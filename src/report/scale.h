// From numbers to places along an axis, and the round numbers to mark there.
#pragma once

#include <vector>

namespace cria {

struct Scale {
  double low = 0, high = 1;  // what the ends of the axis stand for
  bool logarithmic = false;
  std::vector<double> ticks;  // from low to high, between 1 and about what was asked for

  // 0 at low, 1 at high; below and above also beyond. Logarithmic: of numbers above 0.
  double at(double value) const;
};

// Ticks are multiples of 1, 2 or 5 times a power of ten. outwards: the ends move to the next ticks.
Scale linear_scale(double low, double high, int ticks, bool outwards);

// Ticks are powers of ten, also times 2 and 5 where these are few. 0 < low.
Scale logarithmic_scale(double low, double high, int ticks);

// The scale for all finite numbers of these, above 0 if it is logarithmic.
Scale scale_for(const std::vector<const std::vector<double>*>& numbers, bool logarithmic, int ticks,
                bool outwards);

}  // namespace cria
