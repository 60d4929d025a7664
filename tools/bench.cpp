// cria bench: a training step on random tokens, whole and kernel by kernel.
#include <algorithm>
#include <cstdio>
#include <sstream>

#include "bench_report.h"
#include "commands.h"
#include "cria/base/error.h"
#include "cria/base/number.h"
#include "model_from_config.h"
#include "options.h"

namespace cria {
namespace {

// The clock varies: the better peaks of before and after work().
template <class Work>
Peaks peaks_around(Work&& work) {
  const Peaks before = measure_peaks();
  work();
  const Peaks after = measure_peaks();
  return {std::max(before.fp32, after.fp32), std::max(before.bf16, after.bf16)};
}

// The step first, so that its peak memory is its own.
Report measure(const RunConfig& config, int64_t steps, bool step_only) {
  Llama model(config.model, precision_of(config.train));
  model.initialize(1);
  Report r;
  r.config = config;
  r.parameters = model.parameters().count();
  r.peaks = peaks_around([&] {
    r.steps = time_steps(model, config, steps);
    r.peak_rss = peak_rss_bytes();
  });
  std::ranges::sort(r.steps);
  if (step_only) return r;
  r.bandwidth = measure_bandwidth();
  r.kernels = time_kernels(model, config);
  return r;
}

// "2048x768x288" -> {2048, 768, 288}
std::vector<int64_t> parse_shape(const std::string& text) {
  std::vector<int64_t> shape;
  std::stringstream parts(text);
  for (std::string part; std::getline(parts, part, 'x');) {
    int64_t size = 0;
    if (!parse_number(part, size) || size < 1 || size > 1 << 20) shape.clear();
    shape.push_back(size);
  }
  if (shape.size() == 3) return shape;
  throw UsageError("not the shape of a product",
                   {.where = "cria bench: --products",
                    .expected = "rows, outputs and inputs of a linear layer, as 2048x768x288",
                    .got = text});
}

Report measure_products(const std::string& shapes) {
  Report r;
  r.peaks = peaks_around([&] {
    std::stringstream list(shapes);
    for (std::string text; std::getline(list, text, ',');) {
      const std::vector<int64_t> shape = parse_shape(text);
      std::ranges::copy(time_products(shape[0], shape[1], shape[2]), std::back_inserter(r.kernels));
    }
  });
  return r;
}

}  // namespace

int run_bench(const Arguments& arguments) {
  Options options("bench", "CONFIG [table.key=value ...] | --products MxNxK[,...]",
                  "Time whole training steps (forward, backward, clip, AdamW) of CONFIG's model on "
                  "random tokens,\nthen each kernel, against the peak (attention: of fp32).",
                  {{"steps", "N", "steps to time, after one to warm up (default 10)"},
                   {"step-only", "", "the whole step only, not its kernels"},
                   {"products", "SHAPES",
                    "no model: the three products of linear layers of M rows, "
                    "N outputs, K inputs"},
                   {"json", "", "print the result as JSON"}});
  if (!options.parse(arguments)) return 0;
  const std::string products = options.text("products", "");
  if (products.empty()) {
    options.require_positional(1, SIZE_MAX);
  } else {
    options.require_positional(0, 0);
    reserve_kernel_memory();
  }
  const Report report =
      products.empty() ? measure(model_from_config(options.positional()),
                                 options.integer("steps", 10, 1, 100000), options.has("step-only"))
                       : measure_products(products);
  if (options.has("json")) {
    std::printf("%s\n", to_json(report).dump().c_str());
  } else {
    print(report);
  }
  return 0;
}

}  // namespace cria
