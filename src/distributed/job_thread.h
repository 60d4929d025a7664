// Jobs done one after the other by a thread of their own.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace cria {

class JobThread {
 public:
  JobThread() : thread_([this] { work(); }) {}
  ~JobThread();
  JobThread(const JobThread&) = delete;
  JobThread& operator=(const JobThread&) = delete;

  void start(std::function<void()> job);
  // Waits for all that were started. Throws what the first threw that threw, after which no other
  // was done.
  void finish();
  // Leaves out all but the one under way, waits for that, and forgets what it threw.
  void drop();

 private:
  void work();
  void wait(std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::function<void()>> jobs_;
  size_t done_ = 0;  // of jobs_
  bool stop_ = false;
  std::exception_ptr error_;
  std::thread thread_;  // the last member: it uses the others
};

}  // namespace cria
