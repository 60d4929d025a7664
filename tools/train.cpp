// cria train: a run directory from a config file.
#include <cstdio>
#include <utility>

#include "base/unicode.h"
#include "cli/commands.h"
#include "cli/interruption.h"
#include "cli/options.h"
#include "cli/run_page.h"
#include "cria/base/json.h"
#include "cria/base/parallel.h"
#include "cria/exchange/load_model.h"
#include "cria/train/trainer.h"
#include "distributed/communicator.h"
#include "report/report_text.h"
#include "report/run_cost_report.h"
#include "train/run_inputs.h"

namespace cria {
namespace {

void print_plan(const Trainer& trainer, const std::string& source) {
  const RunConfig& config = trainer.config();
  const auto line = [](const char* format, auto... values) {
    std::fprintf(stderr, format, values...);
  };
  const int64_t parameters = trainer.model().parameters().count();
  const int64_t table = trainer.model().embed_tokens().weight->value.size();
  line("cria train %s -> %s\n", source.c_str(), config.train.output_dir.c_str());
  line(
      "  model: %s parameters (%s without embedding), %lld layers, hidden %lld, vocabulary %lld, "
      "%s\n",
      std::to_string(parameters).c_str(), std::to_string(parameters - table).c_str(),
      static_cast<long long>(config.model.num_hidden_layers),
      static_cast<long long>(config.model.hidden_size),
      static_cast<long long>(config.model.vocab_size),
      trainer.model().config().tie_word_embeddings ? "tied" : "untied");
  const int processes = world().size();
  line("  steps: %lld of %lld tokens each, from step %lld, %d thread%s%s\n",
       static_cast<long long>(config.train.steps),
       static_cast<long long>(trainer.tokens_per_step()),
       static_cast<long long>(trainer.steps_done()), max_threads(), max_threads() > 1 ? "s" : "",
       processes > 1 ? (" in each of " + std::to_string(processes) + " processes").c_str() : "");
}

int print_dry_run(const Options& options, RunConfig config) {
  const RunInputs inputs = open_inputs(config);
  const RunCost cost = cost_of(config, inputs, options.has("resume"));
  for (const std::string& doubt : doubts_about(inputs, config)) {
    std::fprintf(stderr, "warning: %s\n", doubt.c_str());
  }
  return show(options, cost);
}

// The work of all processes but the first, which alone reports.
void train_silently(RunConfig config, bool resume, bool change) {
  TrainingObserver silent;
  Trainer(std::move(config), resume, silent, change, &world()).run(stop_on_signals());
}

}  // namespace

int run_train(const Arguments& arguments) {
  Options options("train", "CONFIG [table.key=value ...]",
                  "Train a model as CONFIG says. Overrides need no quotes of their own: "
                  "train.steps=100 model.position=alibi.\nCtrl-C (or SIGTERM, or closing the "
                  "terminal) finishes "
                  "the step and writes a checkpoint; a second\nCtrl-C ends at once.\n\n"
                  "keys and their defaults:\n" +
                      describe_keys(),
                  {{"resume", "", "continue from the latest checkpoint of the run, bit for bit"},
                   {"change", "", "with --resume: other settings or data may make it another run"},
                   {"dry-run", "", "check everything, and print what the run would take"},
                   {"json", "", "print the result as JSON"}});
  if (!options.parse(arguments, 1)) return 0;
  ignore_closed_pipes();
  const std::string& source = options.positional().front();
  const Arguments overrides(options.positional().begin() + 1, options.positional().end());

  const bool resume = options.has("resume"), change = options.has("change");
  if (change && !resume) options.refuse("--change is for --resume");
  Communicator& ranks = world();
  RunConfig config = read_run_config(source, overrides, resume);
  if (!ranks.leads()) {
    if (!options.has("dry-run")) train_silently(std::move(config), resume, change);
    return 0;
  }
  if (options.has("dry-run")) return print_dry_run(options, std::move(config));
  const int64_t steps = config.train.steps;
  PagedProgress progress(stderr, steps, config.log.report ? config.train.output_dir : "");
  Trainer trainer(std::move(config), resume, progress, change, &ranks);
  print_plan(trainer, source);
  if (resume && trainer.steps_done() >= steps && steps > 0) {
    std::fprintf(stderr, "all %lld steps are done already\n", static_cast<long long>(steps));
  }
  const bool finished = trainer.run(stop_on_signals());
  progress.write_page(true);
  progress.finish();
  const std::string checkpoint =
      checkpoint_path(trainer.config().train.output_dir, trainer.steps_done());
  if (!finished) {
    std::string again = "cria train " + shell_word(source);
    for (const std::string& argument : overrides) again += " " + shell_word(argument);
    std::fprintf(stderr, "stopped after step %lld; go on with: %s --resume\n",
                 static_cast<long long>(trainer.steps_done()), again.c_str());
    return kInterrupted;
  }
  if (options.has("json")) {
    // A run that was complete before has evaluated nothing.
    Json json = trainer.last_evaluation().tokens > 0
                    ? to_json(trainer.last_evaluation(), trainer.steps_done())
                    : Json(Json::Object{{"step", trainer.steps_done()}});
    json.set("checkpoint", checkpoint);
    json.set("fingerprint", fingerprint(trainer.model().parameters()));
    print_json(json);
  } else {
    std::printf("%s\n", checkpoint.c_str());
  }
  return 0;
}

}  // namespace cria
