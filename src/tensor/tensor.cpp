#include "cria/tensor/tensor.h"

namespace cria {

std::string shape_string(const int64_t* shape, int rank) {
  std::string text = "[";
  for (int axis = 0; axis < rank; ++axis) {
    if (axis > 0) text += ", ";
    text += std::to_string(shape[axis]);
  }
  return text + "]";
}

void throw_shape_error(const std::string& operation, const std::string& expected,
                       const std::string& got) {
  throw Error("shapes do not fit", {.where = operation, .expected = expected, .got = got});
}

}  // namespace cria
