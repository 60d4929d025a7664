#include "cli/model_from_config.h"

#include "cria/tokenizer_files/tokenizer_file.h"

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

}  // namespace cria
