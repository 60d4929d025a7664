#include "cria/position/position.h"

#include <cmath>

#include "cria/base/error.h"
#include "cria/position/absolute.h"
#include "cria/position/rope.h"

namespace cria {

void Position::require_prepared(int64_t first, int64_t time, int64_t count) const {
  if (first >= 0 && first + time <= count) return;
  throw Error("position beyond those the model knows",
              {.where = "model.position = \"" + config_.name + "\"",
               .expected = "positions below " + std::to_string(count),
               .got = std::to_string(first + time - 1),
               .hint = "raise model.max_position_embeddings or shorten the sequence"});
}

float Position::score_scale() const {
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(config_.head_dim)));
}

const std::vector<std::string>& position_names() {
  static const std::vector<std::string> names = {"rope", "learned", "sinusoidal", "none"};
  return names;
}

std::unique_ptr<Position> make_position(Parameters& parameters, const PositionConfig& config) {
  if (config.name == "rope") return std::make_unique<Rope>(config);
  if (config.name == "learned") return std::make_unique<LearnedPositions>(parameters, config);
  if (config.name == "sinusoidal") return std::make_unique<SinusoidalPositions>(config);
  if (config.name == "none") return std::make_unique<Position>(config);
  throw Error("unknown position encoding", {.where = "model.position",
                                            .expected = one_of(position_names()),
                                            .got = "\"" + config.name + "\"",
                                            .hint = did_you_mean(config.name, position_names())});
}

}  // namespace cria
