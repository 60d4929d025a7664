// Which stretches of the parameter planes each of several processes keeps: it adds up their
// gradients, has their moments and updates their weights.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cria/tensor/arena.h"
#include "cria/tensor/parameters.h"
#include "distributed/communicator.h"

namespace cria {

// Floats: four planes of them fit a core's L2. A parameter is updated, and its gradient's norm
// summed, in pieces of so many; no slice ends inside one.
inline constexpr int64_t kPiece = 32 * 1024;

class Slices {
 public:
  // About the same number of trained parameters for each rank. All of them when there is one.
  // rounds: gradients are sent in bf16, and are such numbers already (see GradientTree).
  Slices(Parameters& parameters, Communicator& ranks, bool rounds = false);

  Communicator& ranks() const { return *ranks_; }
  bool is_alone() const { return ranks_->size() == 1; }
  const std::vector<PlaneRange>& own() const { return ranges_[ranks_->rank()]; }
  // Whether the piece that begins at this offset is of the own ones.
  bool is_own(int64_t offset) const;

  // The gradients of all ranks from this offset on: in the own stretches they become the sum over
  // the ranks, in the tree of add_in_tree; the others keep what they hold. To be called with ever
  // smaller offsets, in each step down to 0; which rows are touched, all know then. Computes on the
  // calling thread alone.
  void reduce_gradients(int64_t from);

  // A plane, of which each rank has changed its own stretches: all get all of them.
  void share(float* plane) const;

  // What has no memory here: rank 0 reads m, or v if `second`, wherever they are; [offset, offset +
  // count) lies in one trained parameter. Meanwhile the others serve, until it has read all.
  void read_moments(bool second, int64_t offset, int64_t count, float* out) const;
  void end_reading() const;
  void serve() const;

 private:
  struct Request {
    int64_t plane, offset, count;  // 0 numbers: there will be no more
  };

  void reduce_chunks(size_t round);
  void share_touched_rows();
  void add_received(std::span<float* const> terms, int64_t count) const;
  void add_stretch(int rank, int64_t offset, int64_t count);
  void tell(const Request& request) const;
  const float* moments(int64_t plane) const;
  // Calls each(rank, offset, count) for the parts of a range, by whom keeps them.
  template <class Each>
  void for_owners(int64_t offset, int64_t count, Each&& each) const;

  Parameters* parameters_;
  Communicator* ranks_;
  std::vector<std::vector<PlaneRange>> ranges_;  // of each rank, ascending
  std::vector<std::vector<PlaneRange>> chunks_;  // the same in messages, descending
  size_t next_round_ = 0;                        // of reduce_gradients: the next chunk of each rank
  AlignedBytes received_;                        // a chunk from each rank
  // With `rounds` the same in bf16, and after them a chunk to each rank.
  std::vector<uint16_t> messages_;
};

}  // namespace cria
