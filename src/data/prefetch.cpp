#include "data/prefetch.h"

#include <chrono>

#include "base/first_error.h"

namespace cria {

Prefetch::Prefetch(const Batches& batches, const StepLayout& layout,
                   std::optional<DocumentMarks> marks)
    : batches_(batches), layout_(layout), marks_(marks) {
  carve();
  memory_.allocate("batches");
  carve();
}

Prefetch::~Prefetch() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Prefetch::carve() {
  const int64_t count = windows() * batches_.length();
  for (StepData& step : steps_) {
    step.inputs = memory_.take_ints(count);
    step.targets = memory_.take_ints(count);
    if (marks_) step.starts = memory_.take_ints(count);
  }
}

void Prefetch::start(uint64_t position) {
  batches_.set_position(position);
  thread_ = std::thread([this] { read_steps(); });
}

const StepData& Prefetch::next() {
  using Clock = std::chrono::steady_clock;
  std::unique_lock lock(mutex_);
  StepData& step = steps_[static_cast<size_t>(asked_ % 2)];
  ++asked_;  // which frees the other buffer
  changed_.notify_all();
  const auto ready = [&] { return filled_ >= asked_ || error_; };
  double waited = 0;
  if (!ready()) {
    const Clock::time_point start = Clock::now();
    changed_.wait(lock, ready);
    waited = std::chrono::duration<double>(Clock::now() - start).count();
  }
  if (filled_ < asked_) std::rethrow_exception(error_);
  step.waited = waited;
  return step;
}

// Window r + R k of micro-batch m is window k of micro-batch m of part r.
int64_t Prefetch::place_of(int64_t window) const {
  const int64_t batch = batches_.batch(), parts = layout_.parts;
  const int64_t micro = window / batch, part = window % batch % parts;
  return (part * layout_.micro_batches + micro) * (batch / parts) + window % batch / parts;
}

void Prefetch::fill(StepData& step) {
  const int64_t time = batches_.length();
  step.counted = 0;
  for (int64_t window = 0; window < windows(); ++window) {
    const int64_t begin = place_of(window) * time;
    batches_.next_window(step.inputs + begin, step.targets + begin);
  }
  if (!marks_) {
    step.counted = count_targets(step.targets, windows() * time);
    return;
  }
  for (int64_t window = 0; window < windows(); ++window) {
    const int64_t begin = window * time;
    step.counted += mark_documents(step.inputs + begin, step.targets + begin, time, *marks_,
                                   step.starts + begin);
  }
}

// Asleep but for the moments after next(), when a step's computation has just begun.
void Prefetch::read_steps() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stop_ || filled_ <= asked_; });
    if (stop_) return;
    StepData& step = steps_[static_cast<size_t>(filled_ % 2)];
    lock.unlock();
    const std::exception_ptr error = thrown_by([&] { fill(step); });
    lock.lock();
    error_ = error;
    if (!error_) ++filled_;
    changed_.notify_all();
    if (error_) return;
  }
}

}  // namespace cria
