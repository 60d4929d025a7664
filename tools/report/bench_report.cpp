#include "report/bench_report.h"

#include <algorithm>
#include <cstdio>

#include "kernels/isa.h"
#include "model/config_json.h"
#include "report/report_text.h"

namespace cria {
namespace {

std::string machine_text() {
  return processor_name() + ", " + kernels().isa + " kernels (bf16: " + kernels().bf16_products +
         ")";
}

Json machine_json(const Report& r) {
  const std::vector<std::string> isas = available_isas();
  const std::string busy = r.busy();
  Json machine = Json::Object{{"processor", processor_name()},
                              {"threads", r.threads},
                              {"isa", kernels().isa},
                              {"bf16_products", kernels().bf16_products},
                              {"isas", Json::Array(isas.begin(), isas.end())},
                              {"fp32_peak_gflops", r.peaks.best(Precision::fp32) * 1e-9},
                              {"bf16_peak_gflops", r.peaks.best(Precision::bf16) * 1e-9},
                              {"busy", busy.empty() ? Json() : Json(busy)}};
  if (r.bandwidth > 0) machine.set("bandwidth_gb_per_s", r.bandwidth * 1e-9);
  return machine;
}

Json share_json(const Report& r, double percent) {
  return r.busy().empty() ? Json(percent) : Json();
}

void set_seconds(Json& json, const Median& seconds) {
  json.set("seconds", seconds.value);
  json.set("seconds_low", seconds.low);
  json.set("seconds_high", seconds.high);
}

Json kernel_json(const Report& r, const KernelTiming& k) {
  Json row = Json::Object{{"name", k.name}, {"calls", k.calls}};
  set_seconds(row, k.seconds);
  if (k.flops > 0) {
    row.set("gflops", k.flops / k.seconds.value * 1e-9);
    row.set("percent_of_peak", share_json(r, r.percent_of_peak(k)));
  }
  row.set("gb_per_s", k.bytes / k.seconds.value * 1e-9);
  if (!r.steps.empty()) row.set("percent_of_step", r.percent_of_step(k));
  return row;
}

Json step_json(const Report& r) {
  Json step = Json::Object{};
  set_seconds(step, median_interval(r.steps));
  step.set("tokens_per_s", r.tokens_per_second());
  step.set("gflops", r.step_flops() * 1e-9);
  step.set("percent_of_peak", share_json(r, r.percent_of_peak()));
  step.set("peak_rss_bytes", r.peak_rss);
  step.set("parameters", r.parameters);
  step.set("without_embedding", r.without_embedding);
  step.set("precision", r.config.train.precision);
  return step;
}

std::string share_text(const Report& r, double percent) {
  return r.busy().empty() ? fixed(percent, 1) : "-";
}

// what: "" or "2 threads: ".
void print_busy(const std::string& what, const Report& r) {
  if (r.busy().empty()) return;
  std::printf("%sthe machine is busy (%s): no share of peak is stated\n", what.c_str(),
              r.busy().c_str());
}

void print_model(const Report& r) {
  std::printf("%s: %lld parameters (%lld without embedding), steps of %.0f tokens, %s\n",
              r.config.source.c_str(), static_cast<long long>(r.parameters),
              static_cast<long long>(r.without_embedding), r.tokens(),
              r.config.train.precision.c_str());
}

std::string mebibytes(int64_t bytes) {
  return fixed(static_cast<double>(bytes) / (1 << 20), 0);
}

void print_kernels(const Report& r) {
  const bool of_a_step = !r.steps.empty();
  const int width = of_a_step ? 28 : 40;
  std::printf("\n%-*s %7s %9s %9s %7s %7s %7s\n", width, "kernel", of_a_step ? "calls" : "",
              of_a_step ? "ms/step" : "ms", "GFLOP/s", "% peak", "GB/s", of_a_step ? "% step" : "");
  double total = 0;
  for (const KernelTiming& k : r.kernels) {
    const double seconds = k.calls * k.seconds.value;
    total += seconds;
    std::printf("%-*s ", width, k.name.c_str());
    of_a_step ? std::printf("%7.4g", k.calls) : std::printf("%7s", "");
    std::printf(" %9.3f ", seconds * 1e3);
    if (k.flops > 0) {
      std::printf("%9.1f %7s ", k.flops / k.seconds.value * 1e-9,
                  share_text(r, r.percent_of_peak(k)).c_str());
    } else {
      std::printf("%9s %7s ", "", "");
    }
    std::printf("%7.1f", k.bytes / k.seconds.value * 1e-9);
    if (of_a_step) std::printf(" %7.1f", r.percent_of_step(k));
    std::printf("\n");
  }
  if (!of_a_step) return;
  const double rest = r.step() - total;
  std::printf("%-*s %7s %9.3f %33.1f\n\n", width, "everything else", "", rest * 1e3,
              100 * rest / r.step());
}

void print_step(const Report& r) {
  const Median step = median_interval(r.steps);
  std::printf("step: %.2f ms, median of %zu (%.2f to %.2f)\n", step.value * 1e3, r.steps.size(),
              std::ranges::min(r.steps) * 1e3, std::ranges::max(r.steps) * 1e3);
  std::printf("      %.0f tokens/s, %.1f GFLOP/s, ", r.tokens_per_second(), r.step_flops() * 1e-9);
  if (r.busy().empty()) {
    std::printf("%.1f%% of the %s peak, ", r.percent_of_peak(), r.config.train.precision.c_str());
  }
  std::printf("peak memory %s MiB\n", mebibytes(r.peak_rss).c_str());
}

void print_sweep(const Sweep& sweep) {
  std::vector<std::vector<std::string>> lines;
  for (const Report& r : sweep.reports) {
    lines.push_back({sweep.value(r), fixed(r.step() * 1e3, 2), fixed(r.tokens_per_second(), 0),
                     fixed(r.step_flops() * 1e-9, 1), share_text(r, r.percent_of_peak()),
                     fixed(sweep.speedup(r), 2), mebibytes(r.peak_rss)});
  }
  print_table({{sweep.varied, true},
               {"ms/step"},
               {"tokens/s"},
               {"GFLOP/s"},
               {"% peak"},
               {"speedup"},
               {"peak MiB"}},
              lines);
  for (const Report& r : sweep.reports) print_busy(sweep.varied + " " + sweep.value(r) + ": ", r);
}

}  // namespace

Json config_json(const RunConfig& config) {
  return Json::Object{{"batch_size", config.train.batch_size},
                      {"sequence_length", config.data.sequence_length},
                      {"model", to_json(config.model)}};
}

Json to_json(const Report& r) {
  Json json = Json::Object{{"machine", machine_json(r)}};
  if (!r.steps.empty()) json.set("config", config_json(r.config));
  Json::Array rows;
  for (const KernelTiming& k : r.kernels) rows.push_back(kernel_json(r, k));
  if (!rows.empty()) json.set("kernels", rows);
  if (!r.steps.empty()) json.set("step", step_json(r));
  return json;
}

void print(const Report& r) {
  if (!r.steps.empty()) print_model(r);
  std::printf("%s, %d threads\npeak %.1f GFLOP/s in fp32, %.1f in bf16", machine_text().c_str(),
              r.threads, r.peaks.best(Precision::fp32) * 1e-9,
              r.peaks.best(Precision::bf16) * 1e-9);
  if (r.bandwidth > 0) std::printf("; memory %.1f GB/s", r.bandwidth * 1e-9);
  std::printf(" (the best of a few runs, measured now)\n");
  if (!r.kernels.empty()) print_kernels(r);
  if (!r.steps.empty()) print_step(r);
  print_busy("", r);
}

Json to_json(const std::vector<Sweep>& sweeps) {
  Json all = Json::Object{};
  for (const Sweep& sweep : sweeps) {
    Json::Array rows;
    for (const Report& r : sweep.reports) {
      Json row = to_json(r);
      row.set("speedup", sweep.speedup(r));
      rows.push_back(row);
    }
    all.set(sweep.varied, rows);
  }
  return Json::Object{{"sweep", all}};
}

void print(const std::vector<Sweep>& sweeps) {
  for (const Sweep& sweep : sweeps) {
    const Report& first = sweep.reports.front();
    if (&sweep != &sweeps.front()) std::printf("\n");
    print_model(first);
    std::printf("%s\n\n", machine_text().c_str());
    print_sweep(sweep);
  }
}

}  // namespace cria
