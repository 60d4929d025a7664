// cria bench: a training step on random tokens, whole and kernel by kernel.
#include <cstdio>
#include <optional>

#include "cli/chosen_model.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "report/bench_compare.h"
#include "report/bench_measure.h"
#include "report/bench_report.h"
#include "report/report_text.h"

namespace cria {
namespace {

Report measure_any(const Options& options, const std::optional<RunConfig>& config, int64_t steps) {
  return config ? measure(*config, steps, options.has("step-only"))
                : measure_products(options.text("products", ""));
}

void show_beside(const Options& options, const Report& report, const EarlierBench& earlier) {
  Json json = to_json(report);
  for (const std::string& warning : earlier.warnings(json)) {
    std::fprintf(stderr, "cria: %s\n", warning.c_str());
  }
  const std::vector<Change> changes = earlier.changes(json);
  if (options.has("json")) {
    json.set("comparison", to_json(changes));
    print_json(json);
  } else {
    print(report);
    std::printf("\n");
    print(changes);
  }
}

}  // namespace

int run_bench(const Arguments& arguments) {
  Options options(
      "bench", "CONFIG [table.key=value ...] | --products MxNxK[,...]",
      "Time whole training steps (forward, backward, clip, AdamW) of CONFIG's model on random "
      "tokens,\nthen each kernel, against the peak of its precision. No share of the peak is\n"
      "stated while the machine is busy.",
      {{"steps", "N", "steps to time, after one to warm up (default 10)"},
       {"step-only", "", "the whole step only, not its kernels"},
       {"products", "SHAPES", "instead of a model: linear layers of M rows, N outputs, K inputs"},
       {"compare", "FILE", "compare with an earlier bench, printed with --json"},
       {"sweep-threads", "N,N,...", "the step with each of these numbers of threads"},
       {"sweep-lengths", "N,N,...", "the step at each of these lengths, as many tokens in a batch"},
       {"json", "", "print the result as JSON"}});
  if (!options.parse(arguments)) return 0;
  const bool products = options.has("products");
  const bool sweeps = options.has("sweep-threads") || options.has("sweep-lengths");
  if (sweeps && (products || options.has("compare"))) {
    options.refuse("a sweep excludes --products and --compare");
  }
  options.require_positional(products ? 0 : 1, products ? 0 : SIZE_MAX);
  const int64_t steps = options.integer("steps", 10, 1, 100000);
  if (sweeps) {
    const std::vector<int64_t> threads = options.integers("sweep-threads", 1, 4096);
    const std::vector<int64_t> lengths = options.integers("sweep-lengths", 1, int64_t{1} << 24);
    return show(options, measure_sweeps(options.positional(), steps, threads, lengths));
  }
  std::optional<RunConfig> config;
  if (!products) config = model_from_config(options.positional());
  if (!options.has("compare")) return show(options, measure_any(options, config, steps));
  // An unfit file is an error before anything is measured.
  const EarlierBench earlier(options.text("compare", ""));
  if (config) earlier.require_config(config_json(*config));
  show_beside(options, measure_any(options, config, steps), earlier);
  return 0;
}

}  // namespace cria
