// What `cria bench` has measured, and how it is shown.
#pragma once

#include <vector>

#include "cria/base/json.h"
#include "cria/train/benchmark.h"
#include "cria/train/machine.h"

namespace cria {

struct Report {
  RunConfig config;
  int64_t parameters = 0;
  std::vector<double> steps;  // seconds, sorted; none: kernels alone
  int64_t peak_rss = 0;       // bytes, of the steps
  Peaks peaks{};
  double bandwidth = 0;               // bytes/s; 0: not measured
  std::vector<KernelTiming> kernels;  // none: not measured

  double step() const { return median(steps); }
  double tokens() const {
    return static_cast<double>(config.train.batch_size * config.data.sequence_length);
  }
  double step_flops() const {
    return tokens() * training_flops_per_token(config.model, config.data.sequence_length) / step();
  }
  double percent_of_peak() const {
    return 100 * step_flops() / peaks.of(precision_of(config.train));
  }
  double percent_of_peak(const KernelTiming& k) const {
    return 100 * k.flops / k.seconds / peaks.of(k.precision);
  }
  double percent_of_step(const KernelTiming& k) const { return 100 * k.calls * k.seconds / step(); }
};

Json to_json(const Report& report);
void print(const Report& report);

}  // namespace cria
