// What `cria bench` measures.
#pragma once

#include <string>
#include <vector>

#include "base/machine.h"
#include "cria/base/parallel.h"
#include "cria/train/run_config.h"
#include "inspect/benchmark.h"
#include "kernels/peak.h"

namespace cria {

struct Report {
  RunConfig config;
  int threads = max_threads();
  int64_t parameters = 0, without_embedding = 0;  // a head of its own counts as no embedding
  std::vector<double> steps;                      // seconds; none: kernels alone
  int64_t peak_rss = 0;                           // bytes, of the steps
  PeakRuns peaks;
  double bandwidth = 0;               // bytes/s; 0: not measured
  std::vector<KernelTiming> kernels;  // none: not measured
  Interference interference;          // all the while

  double step() const { return median(steps); }
  double tokens() const {
    return static_cast<double>(config.train.batch_size * config.data.sequence_length);
  }
  double tokens_per_second() const { return tokens() / step(); }
  double step_flops() const {
    return tokens_per_second() *
           training_flops_per_token(config.model, config.data.sequence_length);
  }
  double percent_of_peak() const {
    return 100 * step_flops() / peaks.best(precision_of(config.train));
  }
  double percent_of_peak(const KernelTiming& k) const {
    return 100 * k.flops / k.seconds.value / peaks.best(k.precision);
  }
  double percent_of_step(const KernelTiming& k) const {
    return 100 * k.calls * k.seconds.value / step();
  }
  // Why a share of the peak would say little, see busy_reason; "": it says what it should.
  std::string busy() const;
};

// Whole steps of the config's model and, unless step_only, each kernel.
Report measure(const RunConfig& config, int64_t steps, bool step_only);

// The products of linear layers: "MxNxK,...", rows, outputs and inputs; UsageError for other text.
Report measure_products(const std::string& shapes);

// The step alone, measured again and again.
struct Sweep {
  std::string varied;  // what differs between the reports: "threads" or "length"
  std::vector<Report> reports;

  std::string value(const Report& r) const {
    return std::to_string(varied == "threads" ? r.threads : r.config.data.sequence_length);
  }
  double speedup(const Report& r) const {
    return r.tokens_per_second() / reports.front().tokens_per_second();
  }
};

// The step with each of these numbers of threads and with sequences of each of these lengths, as
// far as there are any. A batch keeps as many tokens as the config has: UsageError where they are
// no whole number of sequences. arguments: as of model_from_config.
std::vector<Sweep> measure_sweeps(const std::vector<std::string>& arguments, int64_t steps,
                                  const std::vector<int64_t>& threads,
                                  const std::vector<int64_t>& lengths);

}  // namespace cria
