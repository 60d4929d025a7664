#include "cli/chosen_model.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "base/number.h"
#include "cli/terminal.h"
#include "cria/base/file.h"
#include "cria/base/json.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "train/init_from.h"

namespace cria {

RunConfig model_from_config(const std::vector<std::string>& arguments) {
  const std::string& path = arguments.front();
  RunConfig config = read_run_config(path, {arguments.begin() + 1, arguments.end()});
  if (config.model.vocab_size == 0 && !config.data.tokenizer.empty()) {
    config.model.vocab_size = read_tokenizer(config.data.tokenizer)->vocab_size();
  }
  config.model = resolved(config.model, config.data.sequence_length, path + ": model.");
  return config;
}

bool is_config(const std::string& path) {
  return path.ends_with(".toml") && !std::filesystem::is_directory(path);
}

LoadedModel initial_model(const std::string& path) {
  RunConfig config = read_run_config(path, {});
  LoadedModel loaded;
  loaded.directory = path;
  loaded.tokenizer = read_run_tokenizer(config);
  config.model = resolve_model(config, loaded.tokenizer.get());
  loaded.model = std::make_unique<Llama>(config.model, Precision::fp32, Planes::value);
  set_initial_weights(config, *loaded.model);
  if (!config.init_from.empty()) loaded.generation = read_generation(config.init_from);
  return loaded;
}

LoadedModel load_model_or_config(const std::string& path) {
  return is_config(path) ? initial_model(path) : load_model(path);
}

void tell_chosen_model(const std::string& path, const LoadedModel& loaded) {
  if (loaded.directory == path) return;
  std::string line = "cria: using " + loaded.directory;
  const std::string best = best_path(path), trainer = join_path(best, kTrainerFile);
  if (exists(trainer)) {
    const Json json = read_json(trainer);
    const int64_t step = json.count_at("step", trainer);
    const double loss = json.at("val_loss", trainer).as_double(trainer + ": val_loss");
    if (step != loaded.step) {
      line += ", the latest; the best is " + path + "@best, of step " + std::to_string(step) +
              ", validation loss " + fixed(loss, 4);
    }
  }
  std::fprintf(stderr, "%s\n", shown(stderr, line).c_str());
}

int64_t sequence_length_of(const Options& options, const ModelConfig& config) {
  constexpr int64_t kLongest = 1 << 24, kDefaultMost = 2048;
  return options.integer("sequence-length", std::min(config.max_position_embeddings, kDefaultMost),
                         1, kLongest);
}

}  // namespace cria
