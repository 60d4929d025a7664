#include "cria/exchange/load_model.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/base/json.h"

namespace cria {

std::string checkpoint_path(const std::string& run, int64_t step) {
  std::array<char, 32> name;
  std::snprintf(name.data(), name.size(), "step-%08lld", static_cast<long long>(step));
  return join_path(join_path(run, "checkpoints"), name.data());
}

std::vector<std::string> list_checkpoints(const std::string& run) {
  std::vector<std::string> found;
  std::error_code missing;
  for (const auto& entry :
       std::filesystem::directory_iterator(join_path(run, "checkpoints"), missing)) {
    const std::string name = entry.path().filename().string();
    const bool complete =
        name.size() > 5 && name.find_first_not_of("0123456789", 5) == std::string::npos;
    if (name.starts_with("step-") && complete) found.push_back(entry.path().string());
  }
  // By number: the names grow when steps pass eight digits.
  std::ranges::sort(found, [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  return found;
}

int64_t steps_of(const std::string& checkpoint) {
  const std::string trainer = join_path(checkpoint, kTrainerFile);
  return read_json(trainer).count_at("step", trainer);
}

std::string find_model_directory(const std::string& path) {
  if (is_model_directory(path)) return path;
  const std::vector<std::string> checkpoints = list_checkpoints(path);
  if (!checkpoints.empty()) return checkpoints.back();
  throw Error("no model here",
              {.where = path,
               .expected = "a model directory (config.json, model.safetensors), or a run "
                           "directory with checkpoints",
               .got = exists(path) ? "neither" : "no such directory",
               .hint = "'cria train' makes a run"});
}

LoadedModel load_model(const std::string& path, Precision precision) {
  LoadedModel loaded = read_model_directory(find_model_directory(path), precision);
  if (exists(join_path(loaded.directory, kTrainerFile))) loaded.step = steps_of(loaded.directory);
  return loaded;
}

}  // namespace cria
