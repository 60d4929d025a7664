// cria gradcheck: every gradient of a config's model, analytic against numeric.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>

#include "cli/chosen_model.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cria/base/error.h"
#include "cria/base/json.h"
#include "inspect/gradient_check.h"
#include "report/report_text.h"
#include "train/init_from.h"

namespace cria {
namespace {

using Verdict = GradientCheck::Verdict;

void print_notes(const RunConfig& config) {
  if (precision_of(config.train) != Precision::fp32) {
    std::fprintf(stderr, "note: gradients are checked in fp32, not in train.precision\n");
  }
  if (config.model.embedding.scale_grad_by_freq || config.model.embedding.max_norm) {
    std::fprintf(
        stderr,
        "note: with scale_grad_by_freq or max_norm the gradient of the token table is not the "
        "derivative; it is left out\n");
  }
}

std::vector<GradientCheck> check_text(Llama& model, const Options& options, const RunConfig& config,
                                      uint64_t seed) {
  const std::unique_ptr<Tokenizer> tokenizer = read_run_tokenizer(config);
  if (!tokenizer) {
    throw Error("no tokenizer for --text",
                {.where = config.source,
                 .expected = "data.tokenizer, or train.init_from with one",
                 .hint = "leave out --text for random tokens"});
  }
  const std::vector<int32_t> ids = tokenizer->encode_prompt(options.utf8("text", ""), "--text");
  const int64_t time = std::ssize(ids) - 1, longest = model.config().max_position_embeddings;
  if (time < 1 || time > longest) {
    throw Error("not the length of a sequence",
                {.where = "--text",
                 .expected = "2 to " + std::to_string(longest + 1) + " tokens",
                 .got = std::to_string(ids.size())});
  }
  return check_gradients(model, TokenIds(ids.data(), {1, time}),
                         TokenIds(ids.data() + 1, {1, time}), seed);
}

void print_row(const GradientCheck& r, Verdict verdict) {
  std::printf("%-46s %-14s %11.4e %11.4e %11.4e %8.1e %8.1e%s\n", r.name.c_str(), r.shape.c_str(),
              r.norm, r.analytic, r.numeric, r.error, r.uncertainty,
              verdict == Verdict::ok        ? ""
              : verdict == Verdict::unclear ? "  unclear"
                                            : "  WRONG");
}

}  // namespace

int run_gradcheck(const Arguments& arguments) {
  Options options(
      "gradcheck", "CONFIG [table.key=value ...]",
      "Compare the gradient of each parameter of CONFIG's model, as training would begin with it, "
      "with finite differences of the loss. Fails when one is off by more than the tolerance. "
      "Always in fp32, whatever train.precision is.",
      {{"batch-size", "N", "sequences (default 2)"},
       {"sequence-length", "N", "tokens in each (default 16, or as many as the model takes)"},
       {"text", "TEXT", "one sequence, of this text's tokens, instead of random ones"},
       {"tolerance", "X", "largest error, relative to the gradient's norm (default 0.01)"},
       {"seed", "N", "seed of weights, tokens and directions (default 1)"},
       {"json", "", "print the results as JSON"}});
  if (!options.parse(arguments, 1)) return 0;
  if (options.has("text") && (options.has("batch-size") || options.has("sequence-length"))) {
    options.refuse("--text excludes --batch-size and --sequence-length");
  }
  const int64_t seed = options.integer("seed", 1, 0, INT64_MAX);
  const double tolerance = options.real("tolerance", 0.01, 0.0, 1.0);
  RunConfig config = model_from_config(options.positional());
  print_notes(config);
  Llama model(config.model);
  config.train.seed = seed;
  set_initial_weights(config, model);
  const int64_t longest = model.config().max_position_embeddings;
  const std::vector<GradientCheck> results =
      options.has("text")
          ? check_text(model, options, config, static_cast<uint64_t>(seed))
          : check_gradients(
                model, options.integer("batch-size", 2, 1, 4096),
                options.integer("sequence-length", std::min<int64_t>(16, longest), 1, longest),
                static_cast<uint64_t>(seed));
  const bool as_json = options.has("json");
  if (!as_json) {
    std::printf(
        "|gradient|: the norm. analytic: the loss's slope along a direction, half the gradient's, "
        "half random.\nnumeric: the same by finite differences, which may be off by +-. error: how "
        "far the two are apart,\nin parts of the norm, as +- is; unclear: +- is too large to "
        "tell.\n\n%-46s %-14s %11s %11s %11s %8s %8s\n",
        "parameter", "shape", "|gradient|", "analytic", "numeric", "error", "+-");
  }
  double worst = 0;
  int64_t unclear = 0, wrong = 0;
  Json::Array rows;
  for (const GradientCheck& r : results) {
    const Verdict verdict = r.verdict(tolerance);
    unclear += verdict == Verdict::unclear ? 1 : 0;
    wrong += verdict == Verdict::wrong ? 1 : 0;
    if (r.error > worst || std::isnan(r.error)) worst = r.error;
    if (!as_json) print_row(r, verdict);
    rows.push_back(Json::Object{{"name", r.name},
                                {"norm", r.norm},
                                {"analytic", r.analytic},
                                {"numeric", r.numeric},
                                {"error", r.error},
                                {"uncertainty", r.uncertainty}});
  }
  if (as_json) {
    const Json json = Json::Object{
        {"worst", worst}, {"unclear", unclear}, {"wrong", wrong}, {"parameters", rows}};
    print_json(json);
  } else {
    std::printf("worst error %.1e, tolerance %.1e: %s\n", worst, tolerance,
                wrong > 0     ? "FAILED"
                : unclear > 0 ? "ok but for what is unclear"
                              : "ok");
  }
  return wrong > 0 ? 1 : 0;
}

}  // namespace cria
