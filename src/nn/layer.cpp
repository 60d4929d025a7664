#include "cria/nn/layer.h"

namespace cria {

Tensor within(const Tensor& memory, std::initializer_list<int64_t> shape) {
  const Tensor view(memory.data, shape);
  if (view.size() > memory.size()) {
    throw_shape_error("a pass larger than planned", "at most " + memory.to_string(),
                      view.to_string());
  }
  return view;
}

}  // namespace cria
