#include "cli/chosen_model.h"

#include <cstdio>

#include "base/number.h"
#include "cli/terminal.h"
#include "cria/base/file.h"
#include "cria/base/json.h"
#include "cria/exchange/load_model.h"

namespace cria {

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

}  // namespace cria
