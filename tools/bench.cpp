// cria bench: a training step on random tokens, whole and kernel by kernel.
#include <algorithm>
#include <cstdio>

#include "commands.h"
#include "cria/base/json.h"
#include "cria/base/parallel.h"
#include "cria/kernels/isa.h"
#include "cria/train/benchmark.h"
#include "cria/train/machine.h"
#include "model_from_config.h"
#include "options.h"

namespace cria {
namespace {

struct Report {
  RunConfig config;
  int64_t parameters = 0;
  std::vector<double> steps;  // seconds, sorted
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

// The step first, so that its peak memory is its own. The clock varies: the better peak of both
// sides.
Report measure(const RunConfig& config, int64_t steps, bool step_only) {
  Llama model(config.model, precision_of(config.train));
  model.initialize(1);
  Report r;
  r.config = config;
  r.parameters = model.parameters().count();
  const Peaks before = measure_peaks();
  r.steps = time_steps(model, config, steps);
  std::ranges::sort(r.steps);
  r.peak_rss = peak_rss_bytes();
  const Peaks after = measure_peaks();
  r.peaks = {std::max(before.fp32, after.fp32), std::max(before.bf16, after.bf16)};
  if (step_only) return r;
  r.bandwidth = measure_bandwidth();
  r.kernels = time_kernels(model, config);
  return r;
}

Json to_json(const Report& r) {
  const std::vector<std::string> isas = available_isas();
  Json machine = Json::Object{{"processor", processor_name()},
                              {"threads", max_threads()},
                              {"isa", kernels().isa},
                              {"isas", Json::Array(isas.begin(), isas.end())},
                              {"fp32_peak_gflops", r.peaks.fp32 * 1e-9},
                              {"bf16_peak_gflops", r.peaks.bf16 * 1e-9}};
  if (r.bandwidth > 0) machine.set("bandwidth_gb_per_s", r.bandwidth * 1e-9);
  Json::Array rows;
  for (const KernelTiming& k : r.kernels) {
    Json row = Json::Object{{"name", k.name}, {"calls", k.calls}, {"seconds", k.seconds}};
    if (k.flops > 0) {
      row.set("gflops", k.flops / k.seconds * 1e-9);
      row.set("percent_of_peak", r.percent_of_peak(k));
    }
    row.set("gb_per_s", k.bytes / k.seconds * 1e-9);
    row.set("percent_of_step", r.percent_of_step(k));
    rows.push_back(row);
  }
  Json json = Json::Object{{"machine", machine}};
  if (!rows.empty()) json.set("kernels", rows);
  json.set("step", Json::Object{{"seconds", r.step()},
                                {"tokens_per_s", r.tokens() / r.step()},
                                {"gflops", r.step_flops() * 1e-9},
                                {"percent_of_peak", r.percent_of_peak()},
                                {"peak_rss_bytes", r.peak_rss},
                                {"parameters", r.parameters},
                                {"precision", r.config.train.precision}});
  return json;
}

void print_kernels(const Report& r) {
  std::printf("\n%-28s %7s %9s %9s %7s %7s %7s\n", "kernel", "calls", "ms/step", "GFLOP/s",
              "% peak", "GB/s", "% step");
  double rest = r.step();
  for (const KernelTiming& k : r.kernels) {
    rest -= k.calls * k.seconds;
    std::printf("%-28s %7.4g %9.3f ", k.name.c_str(), k.calls, k.calls * k.seconds * 1e3);
    if (k.flops > 0) {
      std::printf("%9.1f %7.1f ", k.flops / k.seconds * 1e-9, r.percent_of_peak(k));
    } else {
      std::printf("%9s %7s ", "", "");
    }
    std::printf("%7.1f %7.1f\n", k.bytes / k.seconds * 1e-9, r.percent_of_step(k));
  }
  std::printf("%-28s %7s %9.3f %33.1f\n\n", "everything else", "", rest * 1e3,
              100 * rest / r.step());
}

void print(const Report& r) {
  const char* precision = r.config.train.precision.c_str();
  std::printf("%s: %.1fM parameters, steps of %.0f tokens, %s\n", r.config.source.c_str(),
              static_cast<double>(r.parameters) * 1e-6, r.tokens(), precision);
  std::printf("%s, %d threads, %s kernels\n", processor_name().c_str(), max_threads(),
              kernels().isa);
  std::printf("peak %.1f GFLOP/s in fp32, %.1f in bf16", r.peaks.fp32 * 1e-9, r.peaks.bf16 * 1e-9);
  if (r.bandwidth > 0) std::printf("; memory %.1f GB/s", r.bandwidth * 1e-9);
  std::printf(" (measured now; the clock may vary)\n");
  if (!r.kernels.empty()) print_kernels(r);
  std::printf("step: %.2f ms, median of %zu (%.2f to %.2f)\n", r.step() * 1e3, r.steps.size(),
              r.steps.front() * 1e3, r.steps.back() * 1e3);
  std::printf("      %.0f tokens/s, %.1f GFLOP/s, %.1f%% of the %s peak, peak memory %.0f MiB\n",
              r.tokens() / r.step(), r.step_flops() * 1e-9, r.percent_of_peak(), precision,
              static_cast<double>(r.peak_rss) / (1 << 20));
}

}  // namespace

int run_bench(const Arguments& arguments) {
  Options options("bench", "CONFIG [table.key=value ...]",
                  "Time whole training steps (forward, backward, clip, AdamW) of CONFIG's model on "
                  "random tokens,\nthen each kernel, against the peak (attention: of fp32).",
                  {{"steps", "N", "steps to time, after one to warm up (default 10)"},
                   {"step-only", "", "the whole step only, not its kernels"},
                   {"json", "", "print the result as JSON"}});
  if (!options.parse(arguments)) return 0;
  options.require_positional(1, SIZE_MAX);
  const Report report = measure(model_from_config(options.positional()),
                                options.integer("steps", 10, 1, 100000), options.has("step-only"));
  if (options.has("json")) {
    std::printf("%s\n", to_json(report).dump().c_str());
  } else {
    print(report);
  }
  return 0;
}

}  // namespace cria
