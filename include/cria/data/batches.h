// Training batches: every window once per epoch, in an order that needs no index array.
#pragma once

#include <cstdint>

#include "cria/data/dataset.h"

namespace cria {

// A permutation of [0, count) keyed by (seed, epoch): the place of `index` in it. Balanced Feistel
// network over the next power of four, Philox as round function, cycle-walking back into range
// (Black & Rogaway, 2002). Constant time and memory whatever count is.
uint64_t permuted(uint64_t index, uint64_t count, uint64_t seed, uint64_t epoch);

class Batches {
 public:
  Batches(const Dataset& dataset, int64_t batch, int64_t length, uint64_t seed);

  // From now on nothing is shuffled: the windows are cut into `lanes` stretches, and each sequence
  // of `lanes` that follow each other (one or several batches) goes on where it was. For a memory
  // of what came before.
  void read_in_lanes(int64_t lanes) { lanes_ = lanes; }

  // The next batch: inputs and targets [B,T]. Allocates nothing.
  void next(int32_t* inputs, int32_t* targets);

  int64_t windows() const { return windows_; }  // per epoch

  // Windows handed out since the beginning: all the state there is.
  uint64_t position() const { return position_; }
  void set_position(uint64_t position) { position_ = position; }

 private:
  Window window_at(uint64_t position) const;

  const Dataset* dataset_;
  int64_t batch_, length_, windows_;
  uint64_t seed_;
  int64_t lanes_ = 0;  // 0: shuffled
  uint64_t position_ = 0;
};

}  // namespace cria
