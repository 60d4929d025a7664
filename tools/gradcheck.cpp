// cria gradcheck: every gradient of a config's model, analytic against numeric.
#include <algorithm>
#include <cstdio>

#include "cli/commands.h"
#include "cli/model_from_config.h"
#include "cli/options.h"
#include "cria/base/json.h"
#include "inspect/gradient_check.h"

namespace cria {

int run_gradcheck(const Arguments& arguments) {
  Options options(
      "gradcheck", "CONFIG [table.key=value ...]",
      "Compare the gradient of each parameter of CONFIG's model, freshly initialised, "
      "with finite differences\nof the loss on random tokens. Fails when one is off by "
      "more than the tolerance. Always in fp32, whatever train.precision is.",
      {{"batch-size", "N", "sequences (default 2)"},
       {"sequence-length", "N", "tokens in each (default 16, or as many as the model takes)"},
       {"tolerance", "X", "largest error, relative to the gradient's norm (default 0.01)"},
       {"seed", "N", "seed of weights, tokens and directions (default 1)"},
       {"json", "", "print the results as JSON"}});
  if (!options.parse(arguments)) return 0;
  options.require_positional(1, SIZE_MAX);
  const uint64_t seed = static_cast<uint64_t>(options.integer("seed", 1, 0, INT64_MAX));
  const double tolerance = options.real("tolerance", 0.01, 0.0, 1.0);
  const RunConfig config = model_from_config(options.positional());
  if (precision_of(config.train) != Precision::fp32) {
    std::fprintf(stderr, "note: gradients are checked in fp32, not in train.precision\n");
  }
  if (config.model.embedding.scale_grad_by_freq || config.model.embedding.max_norm) {
    std::fprintf(
        stderr,
        "note: with scale_grad_by_freq or max_norm the gradient of the token table is not the "
        "derivative; it is left out\n");
  }
  Llama model(config.model);
  model.initialize(seed);
  const int64_t longest = model.config().max_position_embeddings;
  const std::vector<GradientCheck> results = check_gradients(
      model, options.integer("batch-size", 2, 1, 4096),
      options.integer("sequence-length", std::min<int64_t>(16, longest), 1, longest), seed);

  double worst = 0;
  Json::Array rows;
  if (!options.has("json")) {
    std::printf("%-46s %-14s %12s %12s %12s %9s\n", "parameter", "shape", "|gradient|", "analytic",
                "numeric", "error");
  }
  for (const GradientCheck& r : results) {
    worst = std::max(worst, r.error);
    if (options.has("json")) {
      rows.push_back(Json::Object{{"name", r.name},
                                  {"norm", r.norm},
                                  {"analytic", r.analytic},
                                  {"numeric", r.numeric},
                                  {"error", r.error}});
    } else {
      std::printf("%-46s %-14s %12.4e %12.4e %12.4e %9.1e%s\n", r.name.c_str(), r.shape.c_str(),
                  r.norm, r.analytic, r.numeric, r.error, r.error > tolerance ? "  WRONG" : "");
    }
  }
  if (options.has("json")) {
    const Json json = Json::Object{{"worst", worst}, {"parameters", rows}};
    std::printf("%s\n", json.dump().c_str());
  } else {
    std::printf("worst error %.1e, tolerance %.1e: %s\n", worst, tolerance,
                worst > tolerance ? "FAILED" : "ok");
  }
  return worst > tolerance ? 1 : 0;
}

}  // namespace cria
