// What parallel work threw: the bodies of parallel loops must not throw themselves.
#pragma once

#include <cstdint>
#include <exception>
#include <mutex>

namespace cria {

// Keeps the exception of the lowest item, whichever thread was first.
class FirstError {
 public:
  template <class Work>
  void attempt(int64_t item, Work&& work) {
    try {
      work();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (error_ && item_ < item) return;
      item_ = item;
      error_ = std::current_exception();
    }
  }

  // Once the loop has ended.
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr error_;
  int64_t item_ = 0;
};

}  // namespace cria
