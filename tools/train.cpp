// cria train: a run directory from a config file.
#include <cstdio>

#include "base/unicode.h"
#include "cli/commands.h"
#include "cli/interruption.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cria/base/json.h"
#include "cria/base/parallel.h"
#include "cria/exchange/load_model.h"
#include "cria/train/trainer.h"

namespace cria {
namespace {

void print_plan(const Trainer& trainer, const std::string& source) {
  const RunConfig& config = trainer.config();
  const auto line = [](const char* format, auto... values) {
    std::fprintf(stderr, format, values...);
  };
  line("cria train %s -> %s\n", source.c_str(), config.train.output_dir.c_str());
  line("  model: %s parameters, %lld layers, hidden %lld, vocabulary %lld, %s embeddings\n",
       short_count(static_cast<double>(trainer.model().parameters().count())).c_str(),
       static_cast<long long>(config.model.num_hidden_layers),
       static_cast<long long>(config.model.hidden_size),
       static_cast<long long>(config.model.vocab_size),
       config.model.tie_word_embeddings ? "tied" : "untied");
  line("  steps: %lld of %lld tokens each, from step %lld, %d thread%s\n",
       static_cast<long long>(config.train.steps),
       static_cast<long long>(trainer.tokens_per_step()),
       static_cast<long long>(trainer.steps_done()), max_threads(), max_threads() > 1 ? "s" : "");
}

}  // namespace

int run_train(const Arguments& arguments) {
  Options options(
      "train", "CONFIG [table.key=value ...]",
      "Train a model as CONFIG says. Overrides need no quotes of their own: "
      "train.steps=100 model.position=alibi.\nCtrl-C finishes the step and writes a checkpoint.\n\n"
      "keys and their defaults:\n" +
          describe_keys(),
      {{"resume", "", "continue from the latest checkpoint of the run, bit for bit"},
       {"json", "", "print the result as JSON"}});
  if (!options.parse(arguments)) return 0;
  options.require_positional(1, SIZE_MAX);
  const std::string& source = options.positional().front();
  const Arguments overrides(options.positional().begin() + 1, options.positional().end());

  RunConfig config = read_run_config(source, overrides, options.has("resume"));
  const int64_t steps = config.train.steps;
  TrainingProgress progress(stderr, steps);
  Trainer trainer(std::move(config), options.has("resume"), progress);
  print_plan(trainer, source);
  const bool finished = trainer.run(stop_on_signals());
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
    std::printf("%s\n", json.dump().c_str());
  } else {
    std::printf("%s\n", checkpoint.c_str());
  }
  return 0;
}

}  // namespace cria
