#include "distributed/job_thread.h"

#include <utility>

#include "base/first_error.h"

namespace cria {

JobThread::~JobThread() {
  drop();
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void JobThread::start(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  changed_.notify_all();
}

void JobThread::wait(std::unique_lock<std::mutex>& lock) {
  changed_.wait(lock, [&] { return done_ == jobs_.size(); });
  jobs_.clear();  // keeps its memory for the next ones
  done_ = 0;
}

void JobThread::finish() {
  std::unique_lock lock(mutex_);
  wait(lock);
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void JobThread::drop() {
  std::unique_lock lock(mutex_);
  for (size_t i = done_ + 1; i < jobs_.size(); ++i) jobs_[i] = [] {};
  wait(lock);
  error_ = nullptr;
}

void JobThread::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stop_ || done_ < jobs_.size(); });
    if (stop_) return;
    const std::function<void()> job = std::move(jobs_[done_]);
    const bool skipped = error_ != nullptr;
    lock.unlock();
    std::exception_ptr error;
    if (!skipped) error = thrown_by(job);
    lock.lock();
    if (error) error_ = error;
    ++done_;
    changed_.notify_all();
  }
}

}  // namespace cria
