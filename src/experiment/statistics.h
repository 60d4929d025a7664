// What a few runs say about all runs there could be.
#pragma once

#include <cstddef>
#include <span>

namespace cria {

struct Sample {
  size_t count = 0;
  double mean = 0;
  double deviation = 0;  // standard deviation, of n - 1
};
Sample sample_of(std::span<const double> values);

// The mean of n values is mean +- half_width in 95 of 100 cases, if they are normally distributed:
//   half_width = t(0.975, n - 1) s / sqrt(n)
// Infinite for fewer than two values; 0 when all of them are equal.
double half_width_95(const Sample& sample);

// The value that Student's t with `degrees` degrees of freedom is below with this probability.
double student_t_quantile(double probability, double degrees);

}  // namespace cria
