// The parts that a step's batch has, and the processes that share them: each computes some of the
// parts, keeps a slice of the optimizer's state, and has all weights. For any number of processes
// the bits are the same.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cria/model/segment_memory.h"
#include "cria/tensor/parameters.h"
#include "cria/train/checkpoint.h"
#include "cria/train/run_config.h"
#include "distributed/communicator.h"
#include "optim/gradient_tree.h"
#include "optim/slices.h"

namespace cria {

class DataParallel {
 public:
  // Error when the processes cannot share train.data_parallel parts, and for what a step of one
  // process alone can do.
  DataParallel(const RunConfig& config, Communicator& ranks);

  Communicator& ranks() const { return *ranks_; }
  bool is_alone() const { return ranks_->size() == 1; }
  Planes planes() const { return is_alone() ? Planes::all : Planes::sharded; }

  // The parts of this process, the first and the last.
  int64_t first_part() const { return ranks_->rank() * own_parts(); }
  int64_t last_part() const { return first_part() + own_parts() - 1; }
  int64_t own_parts() const { return std::ssize(losses_) / ranks_->size(); }

  // What is trained from now on; frozen parameters are marked as such.
  void set_parameters(Parameters& parameters);
  const Slices& slices() const { return *slices_; }

  // While the backward of this process's last part goes down to offset 0: its gradient is there
  // from this offset of the plane on, and is sent to the others meanwhile.
  void complete_from(int64_t offset);
  // Once a part's gradient is in the parameters; loss: the sum over its targets. After the last
  // part of all processes: the sum of all losses, and the gradient of all where it is this
  // process's to update.
  void end_part(int64_t part, double loss);
  double end_step();

  // Before all moments are to be at hand, and before all memories are to be written.
  void gather_moments(Parameters& parameters) const;
  void gather(std::span<SegmentMemory> of_passes, int64_t layers) const;

  // For save_checkpoint; empty where all is at hand.
  MomentReader moments() const;

 private:
  Communicator* ranks_;
  std::vector<double> losses_;  // of each part
  bool rounds_;                 // gradients are sent in bf16
  std::unique_ptr<Slices> slices_;
  std::unique_ptr<GradientTree> tree_;
};

}  // namespace cria
