// Where a loss has jumped up: how often, how far, for how long.
#pragma once

#include <cstdint>
#include <deque>

namespace cria {

// A spike is a stretch of steps whose loss is above kJump times the median of the last kWindow
// losses before it that were in none. Not judged before there are that many, as a loss that has
// just begun to fall has no level yet.
class LossSpikes {
 public:
  static constexpr double kJump = 1.2;
  static constexpr int64_t kWindow = 50;

  void add(double loss);  // of the next step

  int64_t length() const { return length_; }  // of the one under way, in steps; 0: there is none
  int64_t count() const { return count_; }
  double highest() const { return highest_; }   // times the median; 0 without a spike
  int64_t longest() const { return longest_; }  // steps
  int64_t steps() const { return steps_; }      // in all spikes together

 private:
  std::deque<double> level_;  // of no spike
  int64_t count_ = 0, longest_ = 0, steps_ = 0, length_ = 0;
  double highest_ = 0;
};

}  // namespace cria
