#include "cria/position/position.h"

#include <cmath>

#include "cria/position/rope.h"

namespace cria {

float Position::score_scale() const {
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(config_.head_dim)));
}

const std::vector<std::string>& position_names() {
  static const std::vector<std::string> names = {"none", "rope"};
  return names;
}

std::unique_ptr<Position> make_position(Parameters&, const PositionConfig& config) {
  if (config.name == "none") return std::make_unique<Position>(config);
  if (config.name == "rope") return std::make_unique<Rope>(config);
  throw Error("unknown position encoding", {.where = "model.position",
                                            .expected = "\"none\" or \"rope\"",
                                            .got = "\"" + config.name + "\"",
                                            .hint = did_you_mean(config.name, position_names())});
}

}  // namespace cria
