#include "report/bench_measure.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <sstream>

#include "base/number.h"
#include "cli/chosen_model.h"
#include "cli/terminal.h"
#include "cria/base/error.h"

namespace cria {
namespace {

// work(report) between two measurements of the peaks, since the clock varies.
template <class Work>
Report measure_beside_peaks(Work&& work) {
  Report r;
  const ProcessorTimes before = processor_times();
  r.peaks = measure_peaks();
  work(r);
  r.peaks.append(measure_peaks());
  r.interference = interference(before, processor_times(), r.threads);
  return r;
}

StepConfig step_of(const RunConfig& config) {
  return {.batch_size = config.train.batch_size,
          .sequence_length = config.data.sequence_length,
          .optimizer = config.optimizer,
          .max_grad_norm = config.train.max_grad_norm};
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

// The config with sequences of that length, and as many tokens in a batch.
RunConfig with_length(const RunConfig& config, std::vector<std::string> arguments, int64_t length) {
  const int64_t batch = config.train.batch_size, time = config.data.sequence_length;
  if (batch * time % length != 0) {
    throw UsageError("the tokens of a batch do not divide into such sequences",
                     {.where = "cria bench: --sweep-lengths",
                      .expected = "divisors of the tokens of a batch, " + std::to_string(batch) +
                                  " x " + std::to_string(time),
                      .got = std::to_string(length)});
  }
  arguments.push_back("data.sequence_length=" + std::to_string(length));
  arguments.push_back("train.batch_size=" + std::to_string(batch * time / length));
  return model_from_config(arguments);
}

// The step only, its peak memory its own although there were others before.
Report measure_anew(const RunConfig& config, int64_t steps) {
  forget_peak_rss();
  return measure(config, steps, true);
}

}  // namespace

std::string Report::busy() const {
  double most = std::max(spread(peaks.fp32), spread(peaks.bf16));
  if (!steps.empty()) most = std::max(most, spread(steps));
  return busy_reason(interference, most);
}

// The step first, so that its peak memory is its own.
Report measure(const RunConfig& config, int64_t steps, bool step_only) {
  Llama model(config.model, precision_of(config.train));
  const int64_t parameters = model.parameters().count();
  const int64_t without_embedding = parameters - model.embed_tokens().weight->value.size();
  if (is_terminal(stderr)) {  // someone waits
    std::fprintf(stderr, "%s: %lld parameters, %lld without embedding\n", config.source.c_str(),
                 static_cast<long long>(parameters), static_cast<long long>(without_embedding));
  }
  model.initialize(1);
  return measure_beside_peaks([&](Report& r) {
    r.config = config;
    r.parameters = parameters;
    r.without_embedding = without_embedding;
    r.steps = time_steps(model, step_of(config), steps);
    r.peak_rss = peak_rss_bytes();
    if (step_only) return;
    r.bandwidth = measure_bandwidth();
    r.kernels = time_kernels(model, step_of(config));
  });
}

Report measure_products(const std::string& shapes) {
  std::vector<std::vector<int64_t>> parsed;
  std::stringstream list(shapes);
  for (std::string text; std::getline(list, text, ',');) parsed.push_back(parse_shape(text));
  if (parsed.empty()) parse_shape("");
  reserve_kernel_memory();
  return measure_beside_peaks([&](Report& r) {
    for (const std::vector<int64_t>& shape : parsed) {
      std::ranges::copy(time_products(shape[0], shape[1], shape[2]), std::back_inserter(r.kernels));
    }
  });
}

std::vector<Sweep> measure_sweeps(const std::vector<std::string>& arguments, int64_t steps,
                                  const std::vector<int64_t>& threads,
                                  const std::vector<int64_t>& lengths) {
  const RunConfig config = model_from_config(arguments);
  std::vector<RunConfig> configs;
  for (const int64_t length : lengths) configs.push_back(with_length(config, arguments, length));
  std::vector<Sweep> sweeps;
  if (!threads.empty()) sweeps.push_back({.varied = "threads", .reports = {}});
  const int before = max_threads();
  for (const int64_t each : threads) {
    set_threads(static_cast<int>(each));
    sweeps.back().reports.push_back(measure_anew(config, steps));
  }
  set_threads(before);
  if (!lengths.empty()) sweeps.push_back({.varied = "length", .reports = {}});
  for (const RunConfig& each : configs) {
    sweeps.back().reports.push_back(measure_anew(each, steps));
  }
  return sweeps;
}

}  // namespace cria
