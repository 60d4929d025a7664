#include "inference/score.h"

#include <algorithm>
#include <limits>

namespace cria {

Scorer::Scorer(const Llama& model, int64_t window)
    : model_(&model), window_(window), activations_(model, Purpose::evaluation, 1, window) {
  model.reserve_positions(window);
}

std::vector<double> Scorer::losses(std::span<const int32_t> ids) {
  std::vector<double> losses(ids.size(), std::numeric_limits<double>::quiet_NaN());
  const int64_t targets = std::ssize(ids) - 1, stride = std::max<int64_t>(1, window_ / 2);
  // Targets below `done` have their losses.
  for (int64_t begin = 0, done = 0; done < targets; begin += stride) {
    const int64_t count = std::min(window_, targets - begin);
    const TokenIds inputs(ids.data() + begin, {1, count}), next(ids.data() + begin + 1, {1, count});
    model_->loss_sum(activations_, inputs, next);
    for (; done < begin + count; ++done) {
      losses[static_cast<size_t>(done) + 1] =
          static_cast<double>(activations_.losses().data[done - begin]);
    }
  }
  return losses;
}

}  // namespace cria
