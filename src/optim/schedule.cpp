#include "cria/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "cria/base/error.h"

namespace cria {
namespace {

// How far step is from begin to end, in [0, 1].
double progress(int64_t step, int64_t begin, int64_t end) {
  if (step >= end) return 1.0;
  return std::max(0.0, static_cast<double>(step - begin) / static_cast<double>(end - begin));
}

}  // namespace

const std::vector<std::string>& schedule_names() {
  static const std::vector<std::string> names = {"cosine", "linear", "constant", "wsd"};
  return names;
}

double learning_rate_factor(const ScheduleConfig& c, int64_t step) {
  if (step < c.warmup_steps) {
    return static_cast<double>(step + 1) / static_cast<double>(c.warmup_steps + 1);
  }
  const double x = progress(step, c.warmup_steps, c.decay_steps);
  const double span = 1.0 - c.min_lr_ratio;
  if (c.name == "cosine") {
    return c.min_lr_ratio + span * 0.5 * (1.0 + std::cos(std::numbers::pi * x));
  }
  if (c.name == "linear") return 1.0 - span * x;
  if (c.name == "constant") return 1.0;
  if (c.name == "wsd") {
    const int64_t cooldown = c.cooldown_steps > 0 ? c.cooldown_steps : c.decay_steps / 5;
    const int64_t begin = std::max(c.warmup_steps, c.decay_steps - cooldown);
    return 1.0 - span * progress(step, begin, c.decay_steps);
  }
  throw Error("unknown schedule", {.where = "schedule.name",
                                   .expected = "\"cosine\", \"linear\", \"constant\" or \"wsd\"",
                                   .got = "\"" + c.name + "\"",
                                   .hint = did_you_mean(c.name, schedule_names())});
}

}  // namespace cria
