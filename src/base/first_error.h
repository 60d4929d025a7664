// What work threw, where that is not the end: the bodies of parallel loops must not throw
// themselves.
#pragma once

#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <string>

#include "cria/base/error.h"

namespace cria {

// The message of the Error that work() throws, where something else is done then; nothing when it
// throws none.
template <class Work>
std::optional<std::string> message_of_error(Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return std::nullopt;
}

// What work() threw, for another thread; null when it threw nothing.
template <class Work>
std::exception_ptr thrown_by(Work&& work) {
  try {
    work();
  } catch (...) {
    return std::current_exception();
  }
  return nullptr;
}

// Keeps the exception of the lowest item, whichever thread was first.
class FirstError {
 public:
  template <class Work>
  void attempt(int64_t item, Work&& work) {
    const std::exception_ptr error = thrown_by(work);
    if (!error) return;
    const std::lock_guard lock(mutex_);
    if (error_ && item_ < item) return;
    item_ = item;
    error_ = error;
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
