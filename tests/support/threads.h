// Tests that change the number of threads, and put it back.
#pragma once

#include "cria/base/parallel.h"

namespace cria {

class ThreadCount {
 public:
  explicit ThreadCount(int threads) : before_(max_threads()) { set_threads(threads); }
  ~ThreadCount() { set_threads(before_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};

}  // namespace cria
