#include "base/thread_choice.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/timing.h"

namespace cria {
namespace {

constexpr size_t kRemembered = 16, kTrial = 8;  // steps
// Steps between trials: twice as many after one in vain.
constexpr int64_t kSoonest = 16, kLatest = 512;
constexpr double kSeconds = 0.25;  // what processors did is counted in hundredths of a second
constexpr double kFaster = 0.85;   // less is chance
constexpr double kNever = std::numeric_limits<double>::infinity();

}  // namespace

ThreadChoice::ThreadChoice(int most, std::function<double()> free_processors)
    : most_(most),
      free_processors_(std::move(free_processors)),
      settled_(most),
      left_seconds_(kNever),
      wait_(kSoonest) {
  settled_seconds_.reserve(kRemembered + 1);
  trying_seconds_.reserve(kTrial);
}

void ThreadChoice::took(double seconds) {
  unasked_ += seconds;
  std::vector<double>& remembered = trying_ > 0 ? trying_seconds_ : settled_seconds_;
  remembered.push_back(seconds);
  if (trying_ > 0) {
    if (remembered.size() == kTrial) judge();
  } else {
    if (remembered.size() > kRemembered) remembered.erase(remembered.begin());
    if (++steps_ >= wait_ && unasked_ >= kSeconds) consider();
  }
}

void ThreadChoice::consider() {
  const double free = std::clamp(free_processors_(), 1.0, static_cast<double>(most_));
  // Where every processor has another process, fewer threads may have won by luck.
  const bool regretted = median(settled_seconds_) > left_seconds_;
  const int wanted = regretted ? most_ : static_cast<int>(std::lround(free));
  steps_ = 0;
  unasked_ = 0;
  if (wanted == settled_) {
    wait_ = kSoonest;
  } else {
    trying_ = wanted;
  }
}

void ThreadChoice::judge() {
  const bool faster = median(trying_seconds_) < kFaster * median(settled_seconds_);
  wait_ = faster ? kSoonest : std::min(2 * wait_, kLatest);
  left_seconds_ = faster && trying_ < settled_ ? median(settled_seconds_) : kNever;
  if (faster) {
    settled_ = trying_;
    settled_seconds_ = trying_seconds_;
  }
  trying_ = 0;
  trying_seconds_.clear();
}

}  // namespace cria
