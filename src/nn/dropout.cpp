#include "cria/nn/dropout.h"

#include <algorithm>
#include <cmath>

#include "cria/base/rng.h"

namespace cria {

Dropout::Dropout(const std::string& name, double probability)
    : rate(probability), stream(fnv1a("dropout/" + name)) {
  if (!(rate >= 0 && rate < 1)) {
    throw Error("not a dropout rate",
                {.where = name, .expected = "0 <= rate < 1", .got = std::to_string(rate)});
  }
}

DropoutMask Dropout::mask(const PassContext& pass) const {
  DropoutMask mask;
  if (!is_active(pass)) return mask;
  std::ranges::copy(philox(pass.randomness.seed, stream, pass.randomness.pass), mask.key);
  mask.kept = static_cast<int32_t>(std::lround((1 - rate) * mask.kept));
  mask.scale = static_cast<float>(1 / (1 - rate));
  return mask;
}

void Dropout::forward(const ConstTensor& x, const Tensor& out, const PassContext& pass,
                      const ConstTensor& addend) const {
  if (x.size() != out.size() || (addend && addend.size() != out.size())) {
    throw_shape_error("dropout", "as many elements as in " + x.to_string(), out.to_string());
  }
  if (!is_active(pass) && out.data == x.data && !addend) return;
  kernels().dropout({.count = out.size(),
                     .first = 0,
                     .x = x.data,
                     .addend = addend.data,
                     .out = out.data,
                     .mask = mask(pass)});
}

// out = mask x + addend:  dx = mask dout
void Dropout::backward(const ConstTensor& dout, const PassContext& pass, const Tensor& dx) const {
  forward(dout, dx, pass);
}

}  // namespace cria
