#include "inspect/loss_spikes.h"

#include <algorithm>
#include <vector>

namespace cria {

void LossSpikes::add(double loss) {
  if (std::ssize(level_) == kWindow) {
    std::vector<double> sorted(level_.begin(), level_.end());
    std::ranges::sort(sorted);
    const double median = (sorted[kWindow / 2 - 1] + sorted[kWindow / 2]) / 2;
    if (loss > kJump * median) {
      count_ += length_ == 0;
      ++steps_;
      longest_ = std::max(longest_, ++length_);
      highest_ = std::max(highest_, loss / median);
      return;
    }
    level_.pop_front();
  }
  length_ = 0;
  level_.push_back(loss);
}

}  // namespace cria
