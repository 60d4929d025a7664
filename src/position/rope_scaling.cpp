#include "cria/position/rope_scaling.h"

namespace cria {

const std::vector<std::string>& rope_types() {
  static const std::vector<std::string> types = {"default", "linear", "dynamic", "yarn", "llama3"};
  return types;
}

}  // namespace cria
