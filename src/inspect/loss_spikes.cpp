#include "inspect/loss_spikes.h"

#include <algorithm>

#include "cria/base/file.h"
#include "cria/base/json.h"

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

std::vector<double> read_losses(const std::string& run) {
  std::vector<double> losses;
  const std::string path = join_path(run, "metrics.jsonl");
  if (!exists(path)) return losses;
  const std::string text = read_file(path);
  // A crash may have cut the last line short.
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != text.npos; begin = end + 1) {
    const Json line = Json::parse(std::string_view(text).substr(begin, end - begin), path);
    const Json* const loss = line.find("loss");
    if (loss) losses.push_back(loss->as_double(path + ": loss"));
  }
  return losses;
}

}  // namespace cria
