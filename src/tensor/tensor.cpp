#include "cria/tensor/tensor.h"

namespace cria {

std::string shape_string(const std::vector<int64_t>& shape) {
  std::string text;
  for (const int64_t size : shape) text += (text.empty() ? "[" : ", ") + std::to_string(size);
  return shape.empty() ? "[]" : text + "]";
}

void throw_shape_error(const std::string& operation, const std::string& expected,
                       const std::string& got) {
  throw Error("shapes do not fit", {.where = operation, .expected = expected, .got = got});
}

}  // namespace cria
