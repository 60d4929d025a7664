#include "cria/text/tokenizer_files.h"

#include "cria/base/file.h"
#include "cria/text/tokenizer_json.h"

namespace cria {

std::unique_ptr<Tokenizer> read_tokenizer(const std::string& path, const std::string&) {
  const std::string file = has_tokenizer(path) ? join_path(path, "tokenizer.json") : path;
  return tokenizer_from_json(Json::parse(MappedFile(file).bytes(), file), file);
}

bool has_tokenizer(const std::string& directory) {
  return exists(join_path(directory, "tokenizer.json"));
}

const std::vector<std::string>& tokenizer_file_names() {
  static const std::vector<std::string> names = {"tokenizer.json", "tokenizer_config.json",
                                                 "special_tokens_map.json"};
  return names;
}

void write_tokenizer_files(const std::string& directory, const Tokenizer& tokenizer, int64_t) {
  write_file(join_path(directory, "tokenizer.json"), tokenizer_json(tokenizer));
}

std::unique_ptr<Tokenizer> with_special_tokens(std::unique_ptr<Tokenizer> tokenizer,
                                               const std::vector<std::string>&, const std::string&,
                                               const std::string&) {
  return tokenizer;
}

}  // namespace cria
