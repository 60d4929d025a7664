#include "cria/position/rope_scaling.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace cria {
namespace {

constexpr double kPi = std::numbers::pi;

// f_i = theta^(-2i/D), i = 0 .. D/2 - 1. Source: RoFormer (Su et al., 2021).
std::vector<double> plain_frequencies(int64_t head_dim, double theta) {
  std::vector<double> frequencies(head_dim / 2);
  for (int64_t i = 0; i < head_dim / 2; ++i) {
    frequencies[i] = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
  }
  return frequencies;
}

// theta' = theta (s n/Lm - (s - 1))^(D/(D-2)) for a length n > Lm: the slowest pair is slowed as
// interpolation would, the fastest not at all.
double dynamic_theta(double factor, int64_t head_dim, double theta, int64_t max_positions,
                     int64_t length) {
  if (length <= max_positions) return theta;
  const double stretch = static_cast<double>(length) / static_cast<double>(max_positions);
  const double dim = static_cast<double>(head_dim);
  return theta * std::pow(factor * stretch - (factor - 1), dim / (dim - 2));
}

// f' = (1 - k) f/s + k f, with k = ((Lo/w - low)/(high - low)) within [0, 1] and w = 2 pi/f: kept
// where the pair turns more than `high` times in the original length, divided by s below `low`.
void scale_llama3(const RopeScaling& scaling, std::vector<double>& frequencies) {
  const double length = static_cast<double>(scaling.original_max_position_embeddings);
  const double low = scaling.low_freq_factor, high = scaling.high_freq_factor;
  for (double& f : frequencies) {
    const double turns = length * f / (2 * kPi);
    const double kept = std::clamp((turns - low) / (high - low), 0.0, 1.0);
    f = (1 - kept) * f / scaling.factor + kept * f;
  }
}

// f'_i = ramp_i f_i/s + (1 - ramp_i) f_i, ramp_i = ((i - low)/(high - low)) within [0, 1], where
//   c(r) = D ln(Lo/(2 pi r)) / (2 ln theta)   is the pair that turns r times in the original
//   length, low = max(c(beta_fast), 0), high = min(c(beta_slow), D - 1), rounded outward unless
//   told not to.
void scale_yarn(const RopeScaling& scaling, int64_t head_dim, double theta,
                std::vector<double>& frequencies) {
  const double length = static_cast<double>(scaling.original_max_position_embeddings);
  const double dim = static_cast<double>(head_dim);
  const auto pair_that_turns = [&](double times) {
    return dim * std::log(length / (2 * kPi * times)) / (2 * std::log(theta));
  };
  double low = pair_that_turns(scaling.beta_fast), high = pair_that_turns(scaling.beta_slow);
  if (scaling.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dim - 1);
  if (low == high) high += 0.001;
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    frequencies[i] = ramp * frequencies[i] / scaling.factor + (1 - ramp) * frequencies[i];
  }
}

}  // namespace

const std::vector<std::string>& rope_types() {
  static const std::vector<std::string> types = {"default", "linear", "dynamic", "yarn", "llama3"};
  return types;
}

std::vector<double> rope_frequencies(const RopeScaling& scaling, int64_t head_dim, double theta,
                                     int64_t max_positions, int64_t length) {
  if (scaling.rope_type == "dynamic") {
    theta = dynamic_theta(scaling.factor, head_dim, theta, max_positions, length);
  }
  std::vector<double> frequencies = plain_frequencies(head_dim, theta);
  // Position interpolation: f' = f/s.
  if (scaling.rope_type == "linear") {
    for (double& f : frequencies) f /= scaling.factor;
  }
  if (scaling.rope_type == "llama3") scale_llama3(scaling, frequencies);
  if (scaling.rope_type == "yarn") scale_yarn(scaling, head_dim, theta, frequencies);
  return frequencies;
}

// m(a) = 0.1 a ln s + 1; the factor is m(1), or m(mscale) / m(mscale_all_dim) when both are given.
double rope_attention_factor(const RopeScaling& scaling) {
  if (scaling.rope_type != "yarn") return 1;
  if (scaling.attention_factor > 0) return scaling.attention_factor;
  const auto m = [&](double scale) { return 0.1 * scale * std::log(scaling.factor) + 1; };
  if (scaling.mscale > 0 && scaling.mscale_all_dim > 0) {
    return m(scaling.mscale) / m(scaling.mscale_all_dim);
  }
  return m(1);
}

}  // namespace cria
