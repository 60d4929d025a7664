#include "report/inspect_diagnostics.h"

#include <algorithm>
#include <cstdio>

#include "cli/chosen_model.h"
#include "cli/model_from_config.h"
#include "cli/progress.h"
#include "cria/base/error.h"
#include "cria/train/metrics.h"
#include "inference/shard_tokenizer.h"
#include "report/diagnostics_report.h"

namespace cria {

int inspect_diagnostics(const Options& options, const std::string& path) {
  if (!options.has("data")) {
    throw UsageError("--diagnostics of which data?",
                     {.where = "cria inspect", .hint = "--data 'data/demo/val_*.bin'"});
  }
  constexpr int64_t kMostTokens = 2048;  // of a sequence
  const std::string data = options.text("data", "");
  const int64_t sequences = options.integer("sequences", 32, 1, INT32_MAX);
  DiagnosticsReport report;
  const LoadedModel loaded = load_model_or_config(path);
  report.model = loaded.directory;
  report.config = loaded.model->config();
  const Dataset dataset(data, shard_format(options.choice("shard-format", shard_format_names())),
                        report.config.vocab_size);
  if (loaded.tokenizer) require_tokenizer_of(data, *loaded.tokenizer);
  tell_chosen_model(path, loaded);
  Llama model(report.config);
  std::ranges::copy_n(loaded.model->parameters().value(), model.parameters().plane_size(),
                      model.parameters().mutable_value());
  report.data = data;
  {
    ProgressBar bar(stderr, "inspect");
    report.measured = diagnose_on(
        model, dataset,
        {.sequences = sequences,
         .length = std::min(report.config.max_position_embeddings, kMostTokens),
         .progress = [&](int64_t done, int64_t all) { bar.update(done, all, "sequences"); }});
  }
  const Parameters& parameters = model.parameters();
  const std::vector<double> weights = slot_squares(parameters, parameters.value());
  report.parts =
      part_norms(parameters, weights, slot_squares(parameters, parameters.grad()), weights);
  const std::vector<double> losses = read_losses(path);
  report.steps = static_cast<int64_t>(losses.size());
  for (const double loss : losses) report.spikes.add(loss);
  if (options.has("json")) {
    std::printf("%s\n", to_json(report).dump().c_str());
  } else {
    print(report);
  }
  return 0;
}

}  // namespace cria
