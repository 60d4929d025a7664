#include "cli/model_from_config.h"

#include <filesystem>
#include <memory>

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

}  // namespace cria
