// cria bench: time of a whole training step on random tokens.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "commands.h"
#include "cria/base/file.h"
#include "cria/base/json.h"
#include "cria/base/parallel.h"
#include "cria/base/rng.h"
#include "cria/kernels/kernels.h"
#include "cria/model/llama.h"
#include "cria/optim/adamw.h"
#include "model_from_config.h"
#include "options.h"

namespace cria {
namespace {

std::string processor_name() {
  const std::string path = "/proc/cpuinfo";
  if (!exists(path)) return "unknown";
  std::FILE* file = std::fopen(path.c_str(), "r");
  char line[256];
  std::string name = "unknown";
  while (file && std::fgets(line, sizeof line, file)) {
    const std::string text = line;
    const size_t colon = text.find(": ");
    if (!text.starts_with("model name") || colon == std::string::npos) continue;
    name = text.substr(colon + 2, text.find('\n') - colon - 2);
    break;
  }
  if (file) std::fclose(file);
  return name;
}

int64_t peak_rss_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
  return usage.ru_maxrss;
#else
  return usage.ru_maxrss * 1024;
#endif
}

// Seconds of each of `steps` optimizer steps, after one that is not counted.
std::vector<double> time_steps(Llama& model, const RunConfig& config, int64_t steps) {
  const int64_t batch = config.train.batch_size, time = config.data.sequence_length;
  Activations memory(model, Purpose::training, batch, time);
  AdamWOptimizer optimizer(model.parameters(), config.optimizer);
  std::vector<int32_t> ids(batch * time + 1);
  Rng rng(1, "bench");
  for (int32_t& id : ids) {
    id = static_cast<int32_t>(rng.below(static_cast<uint64_t>(config.model.vocab_size)));
  }
  std::vector<double> seconds;
  for (int64_t i = 0; i <= steps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    model.loss_and_gradient(memory, TokenIds(ids.data(), {batch, time}),
                            TokenIds(ids.data() + 1, {batch, time}),
                            1.0f / static_cast<float>(batch * time));
    const double scale = clip_factor(optimizer.gradient_norm(), config.train.max_grad_norm);
    optimizer.step(config.optimizer.learning_rate, scale);
    const auto stop = std::chrono::steady_clock::now();
    if (i > 0) seconds.push_back(std::chrono::duration<double>(stop - start).count());
  }
  return seconds;
}

}  // namespace

int run_bench(const Arguments& arguments) {
  Options options("bench", "CONFIG [table.key=value ...]",
                  "Time whole training steps (forward, backward, clip, AdamW) of CONFIG's model on "
                  "random tokens.",
                  {{"steps", "N", "steps to time, after one to warm up (default 10)"},
                   {"json", "", "print the result as JSON"}});
  if (!options.parse(arguments)) return 0;
  options.require_positional(1, SIZE_MAX);
  const RunConfig config = model_from_config(options.positional());
  Llama model(config.model);
  model.initialize(1);
  std::vector<double> seconds = time_steps(model, config, options.integer("steps", 10, 1, 100000));
  std::ranges::sort(seconds);
  const double median = seconds[seconds.size() / 2];
  const double tokens = static_cast<double>(config.train.batch_size * config.data.sequence_length);
  const double gflops =
      tokens * training_flops_per_token(config.model, config.data.sequence_length) / median * 1e-9;
  if (options.has("json")) {
    Json json;
    json.set("machine", Json::Object{{"processor", processor_name()},
                                     {"threads", max_threads()},
                                     {"isa", kernels().isa}});
    json.set("step", Json::Object{{"seconds", median},
                                  {"tokens_per_s", tokens / median},
                                  {"gflops", gflops},
                                  {"peak_rss_bytes", peak_rss_bytes()}});
    std::printf("%s\n", json.dump().c_str());
    return 0;
  }
  std::printf("%s: %s, %d threads, %s kernels\n", options.positional().front().c_str(),
              processor_name().c_str(), max_threads(), kernels().isa);
  std::printf("  step of %.0f tokens, median of %zu: %.1f ms (%.1f to %.1f)\n", tokens,
              seconds.size(), median * 1e3, seconds.front() * 1e3, seconds.back() * 1e3);
  std::printf("  %.0f tokens/s, %.1f GFLOP/s, peak memory %.0f MiB\n", tokens / median, gflops,
              static_cast<double>(peak_rss_bytes()) / (1 << 20));
  return 0;
}

}  // namespace cria
