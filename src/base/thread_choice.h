// How many threads the steps of a long computation get while other processes use processors too.
//
// A loop ends when the slowest of its threads does. One that shares its processor with another
// process is interrupted for milliseconds, and all the others wait for it: beside one busy process
// a thread fewer is faster. What others leave free says what to try, the time of the steps says
// what to keep. The bits of results do not depend on it.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace cria {

class ThreadChoice {
 public:
  // Between 1 and `most` threads. free_processors() is how many others left free since it was last
  // asked.
  ThreadChoice(int most, std::function<double()> free_processors);

  int threads() const { return trying_ > 0 ? trying_ : settled_; }  // for the next step

  // What a step with so many threads took. Steps are alike: most of them take as long.
  void took(double seconds);

 private:
  void consider();
  void judge();

  int most_;
  std::function<double()> free_processors_;
  int settled_, trying_ = 0;                              // 0: nothing is tried
  std::vector<double> settled_seconds_, trying_seconds_;  // of the last steps with either
  double left_seconds_;       // a step's with the more threads that were given up
  int64_t steps_ = 0, wait_;  // since the last trial, and how many to let pass
  double unasked_ = 0;        // seconds since free_processors_ was asked
};

}  // namespace cria
