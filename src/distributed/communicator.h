// Processes that compute one thing together: each has a rank, 0 to size - 1, and rank 0 leads.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cria {

// All that processes do with each other. This one is alone; the others are MPI's (see world()).
class Communicator {
 public:
  struct Outgoing {
    int to;
    const void* data;
    int64_t bytes;
  };
  struct Incoming {
    int from;
    void* data;
    int64_t bytes;
  };

  Communicator() = default;
  virtual ~Communicator() = default;

  int rank() const { return rank_; }
  int size() const { return size_; }
  bool leads() const { return rank_ == 0; }

  // For how long the others may be late. Beyond that what waits throws an Error that names them.
  virtual void set_timeout(double /*seconds*/) {}

  // Sends and receives all of that; what goes from one rank to another keeps its order. All ranks
  // call the same functions in the same order, with sizes that fit.
  virtual void exchange(std::span<const Outgoing> sends, std::span<const Incoming> receives);

  // Jobs that exchange with the other ranks, one after the other, beside what the caller computes,
  // if this communicator has a thread of its own for them; else within finish_jobs(). Between the
  // first start_job and finish_jobs the caller exchanges nothing itself.
  virtual void start_job(std::function<void()> job);
  // Waits for them all. Throws what one of them threw, after which the others are left out.
  virtual void finish_jobs();
  // Leaves out what is not done yet, also an exchange that waits: the ranks cannot go on.
  virtual void drop_jobs();

  // blocks: one for each rank, all of one size. Each rank gives its own, and gets the others'.
  template <class T>
  void all_gather(std::span<T> blocks) {
    gather_blocks(blocks.data(), static_cast<int64_t>(blocks.size_bytes()) / size_);
  }
  // The same for texts of any length.
  std::vector<std::string> all_gather(std::string_view own);

  // Each number becomes the sum of all ranks', exact where all but one of these are 0.
  void add(std::span<double> numbers);

  // Whether it is true on any rank.
  bool any(bool own);

 protected:
  Communicator(int rank, int size) : rank_(rank), size_(size) {}

 private:
  void gather_blocks(void* blocks, int64_t bytes);

  int rank_ = 0, size_ = 1;
  std::vector<std::function<void()>> jobs_;
};

// Error on every rank, which names the first rank that says something else than rank 0, and what:
// the first of `lines` that differs, such as "seed = 1".
void require_agreement(Communicator& ranks, const std::vector<std::string>& lines);

// x[0] becomes the sum of all x in a fixed tree: ((x0 + x1) + (x2 + x3)) + ... . Where a power of
// two of neighbours are added up first, in this way, the rest of the tree is this tree of the sums.
// add(i, j): x[i] += x[j].
template <class Add>
void add_in_tree(int64_t count, Add&& add) {
  for (int64_t stride = 1; stride < count; stride *= 2) {
    for (int64_t i = 0; i + stride < count; i += 2 * stride) add(i, i + stride);
  }
}

// The processes that mpirun or srun has started together, in a program that is built with MPI; this
// process alone otherwise. The first call joins them. Error in a program without MPI that was
// started as one of several.
Communicator& world();

// The rank in a world that was joined and is larger than this process; -1 otherwise.
int rank_in_world();

// Before this process ends: once all others have come here too, or at once and with all of them.
void leave_world();
void end_world(int exit_code);

}  // namespace cria
