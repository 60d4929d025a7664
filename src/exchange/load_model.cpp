#include "cria/exchange/load_model.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/base/json.h"

namespace cria {

std::string checkpoint_path(const std::string& run, int64_t step) {
  std::array<char, 32> name;
  std::snprintf(name.data(), name.size(), "step-%08lld", static_cast<long long>(step));
  return join_path(join_path(run, "checkpoints"), name.data());
}

std::string best_path(const std::string& run) {
  return join_path(join_path(run, "checkpoints"), "best");
}

std::vector<std::string> list_checkpoints(const std::string& run) {
  const std::string checkpoints = join_path(run, "checkpoints");
  std::vector<std::string> found;
  if (!exists(checkpoints)) return found;
  for (const std::string& name : list_directory(checkpoints)) {
    const bool complete =
        name.size() > 5 && name.find_first_not_of("0123456789", 5) == std::string::npos;
    if (name.starts_with("step-") && complete) found.push_back(join_path(checkpoints, name));
  }
  // The order is that of the numbers: names grow when steps pass eight digits.
  std::ranges::sort(found, [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  return found;
}

int64_t steps_of(const std::string& checkpoint) {
  const std::string trainer = join_path(checkpoint, kTrainerFile);
  return read_json(trainer).count_at("step", trainer);
}

std::string find_checkpoint(const std::string& path) {
  if (exists(path)) {
    const std::vector<std::string> checkpoints = list_checkpoints(path);
    return checkpoints.empty() ? "" : checkpoints.back();
  }
  const size_t at = path.rfind('@');
  const std::string run = path.substr(0, at);
  if (at == path.npos || !exists(join_path(run, "checkpoints"))) return "";
  const std::string name = path.substr(at + 1);
  std::vector<std::string> all = list_checkpoints(run), names;
  if (exists(best_path(run))) all.push_back(best_path(run));
  for (const std::string& checkpoint : all) {
    const bool best = checkpoint == best_path(run);
    names.push_back(best ? "best" : "step-" + std::to_string(steps_of(checkpoint)));
    if (name == names.back() || checkpoint == join_path(join_path(run, "checkpoints"), name)) {
      return checkpoint;
    }
  }
  if (names.empty()) throw Error("the run has no checkpoints", {.where = path});
  throw Error("the run has no such checkpoint",
              {.where = path,
               .expected = one_of(names),
               .got = name,
               .hint = name == "best" ? "it comes with an evaluation, which takes data.val" : ""});
}

std::string find_model_directory(const std::string& path) {
  if (is_model_directory(path)) return path;
  const std::string checkpoint = find_checkpoint(path);
  if (!checkpoint.empty()) return checkpoint;
  throw Error("no model here",
              {.where = path,
               .expected = "a model directory (config.json, model.safetensors), or a run "
                           "directory with checkpoints, also as RUN@best or RUN@step-300",
               .got = exists(path) ? "neither" : "no such directory",
               .hint = "'cria train' makes a run"});
}

LoadedModel load_model(const std::string& path, Precision precision) {
  LoadedModel loaded = read_model_directory(find_model_directory(path), precision);
  if (exists(join_path(loaded.directory, kTrainerFile))) loaded.step = steps_of(loaded.directory);
  return loaded;
}

}  // namespace cria
