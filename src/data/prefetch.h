// The next step's data, read on a thread of its own while a step runs.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "cria/data/batches.h"
#include "cria/data/documents.h"
#include "cria/tensor/arena.h"

namespace cria {

// How the windows of a step are divided: R parts, of which part r has windows r, r + R, ... of the
// M micro-batches of B.
struct StepLayout {
  int64_t micro_batches = 1, parts = 1;
};

// All parts of a step: [R,M,B/R,T].
struct StepData {
  int32_t* inputs = nullptr;
  int32_t* targets = nullptr;
  int32_t* starts = nullptr;  // see mark_documents; null when documents are not marked
  int64_t counted = 0;        // targets that are not ignored
  double waited = 0;          // seconds that next() had to wait for it
};

class Prefetch {
 public:
  // Two steps' buffers; Error when the machine has no memory for them. layout: its parts divide the
  // batch. marks: of documents to mark, if any.
  Prefetch(const Batches& batches, const StepLayout& layout, std::optional<DocumentMarks> marks);
  ~Prefetch();
  Prefetch(const Prefetch&) = delete;
  Prefetch& operator=(const Prefetch&) = delete;

  // Once, before the first next(): begins to read at that position of the batches.
  void start(uint64_t position);

  // The next step's data, which stays until the next call. Allocates nothing. Throws what reading
  // it threw, then and ever after.
  const StepData& next();

 private:
  int64_t windows() const { return layout_.micro_batches * batches_.batch(); }  // of a step
  int64_t place_of(int64_t window) const;
  void carve();
  void fill(StepData& step);
  void read_steps();

  Batches batches_;
  StepLayout layout_;
  std::optional<DocumentMarks> marks_;
  Arena memory_;
  std::array<StepData, 2> steps_;  // step s is in s % 2: one is used while the other is filled

  std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  int64_t asked_ = 0;   // steps asked for by next()
  int64_t filled_ = 0;  // steps read: at most asked_ + 1
  bool stop_ = false;
  std::exception_ptr error_;
  std::thread thread_;
};

}  // namespace cria
