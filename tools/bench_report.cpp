#include "bench_report.h"

#include <cstdio>

#include "cria/base/parallel.h"
#include "cria/kernels/isa.h"

namespace cria {

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
    if (!r.steps.empty()) row.set("percent_of_step", r.percent_of_step(k));
    rows.push_back(row);
  }
  Json json = Json::Object{{"machine", machine}};
  if (!rows.empty()) json.set("kernels", rows);
  if (r.steps.empty()) return json;
  json.set("step", Json::Object{{"seconds", r.step()},
                                {"tokens_per_s", r.tokens() / r.step()},
                                {"gflops", r.step_flops() * 1e-9},
                                {"percent_of_peak", r.percent_of_peak()},
                                {"peak_rss_bytes", r.peak_rss},
                                {"parameters", r.parameters},
                                {"precision", r.config.train.precision}});
  return json;
}

namespace {

void print_kernels(const Report& r) {
  const bool of_a_step = !r.steps.empty();
  const int width = of_a_step ? 28 : 40;
  std::printf("\n%-*s %7s %9s %9s %7s %7s %7s\n", width, "kernel", of_a_step ? "calls" : "",
              of_a_step ? "ms/step" : "ms", "GFLOP/s", "% peak", "GB/s", of_a_step ? "% step" : "");
  double total = 0;
  for (const KernelTiming& k : r.kernels) {
    total += k.calls * k.seconds;
    std::printf("%-*s ", width, k.name.c_str());
    of_a_step ? std::printf("%7.4g", k.calls) : std::printf("%7s", "");
    std::printf(" %9.3f ", k.calls * k.seconds * 1e3);
    if (k.flops > 0) {
      std::printf("%9.1f %7.1f ", k.flops / k.seconds * 1e-9, r.percent_of_peak(k));
    } else {
      std::printf("%9s %7s ", "", "");
    }
    std::printf("%7.1f", k.bytes / k.seconds * 1e-9);
    if (of_a_step) std::printf(" %7.1f", r.percent_of_step(k));
    std::printf("\n");
  }
  if (!of_a_step) return;
  const double rest = r.step() - total;
  std::printf("%-*s %7s %9.3f %33.1f\n\n", width, "everything else", "", rest * 1e3,
              100 * rest / r.step());
}

void print_step(const Report& r) {
  std::printf("step: %.2f ms, median of %zu (%.2f to %.2f)\n", r.step() * 1e3, r.steps.size(),
              r.steps.front() * 1e3, r.steps.back() * 1e3);
  std::printf("      %.0f tokens/s, %.1f GFLOP/s, %.1f%% of the %s peak, peak memory %.0f MiB\n",
              r.tokens() / r.step(), r.step_flops() * 1e-9, r.percent_of_peak(),
              r.config.train.precision.c_str(), static_cast<double>(r.peak_rss) / (1 << 20));
}

}  // namespace

void print(const Report& r) {
  if (!r.steps.empty()) {
    std::printf("%s: %.1fM parameters, steps of %.0f tokens, %s\n", r.config.source.c_str(),
                static_cast<double>(r.parameters) * 1e-6, r.tokens(),
                r.config.train.precision.c_str());
  }
  std::printf("%s, %d threads, %s kernels\n", processor_name().c_str(), max_threads(),
              kernels().isa);
  std::printf("peak %.1f GFLOP/s in fp32, %.1f in bf16", r.peaks.fp32 * 1e-9, r.peaks.bf16 * 1e-9);
  if (r.bandwidth > 0) std::printf("; memory %.1f GB/s", r.bandwidth * 1e-9);
  std::printf(" (the best of a few runs, measured now)\n");
  if (!r.kernels.empty()) print_kernels(r);
  if (!r.steps.empty()) print_step(r);
}

}  // namespace cria
