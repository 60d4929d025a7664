// The learning rate as a function of the step.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cria {

struct ScheduleConfig {
  std::string name = "cosine";  // one of schedule_names()
  int64_t warmup_steps = 0;
  int64_t decay_steps = 0;     // the step at which the minimum is reached
  int64_t cooldown_steps = 0;  // wsd: length of its final decay; 0: a fifth of decay_steps
  double min_lr_ratio = 0.1;   // minimum / peak
};

// "cosine", "linear", "constant", "wsd"
const std::vector<std::string>& schedule_names();

// The factor on the peak learning rate for a step counted from 0. With w = warmup_steps,
// d = decay_steps, r = min_lr_ratio and x = (step - w) / (d - w), cut to [0, 1]:
//   step < w:  (step + 1) / (w + 1)
//   cosine:    r + (1 - r) (1 + cos(pi x)) / 2
//   linear:    1 - (1 - r) x
//   constant:  1
//   wsd:       1, then linear to r over the last cooldown_steps before d (warmup-stable-decay; Hu
//              et al., MiniCPM, 2024)
double learning_rate_factor(const ScheduleConfig& config, int64_t step);

}  // namespace cria
