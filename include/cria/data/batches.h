// Training batches: every window of a source once per epoch, in an order that needs no index array.
#pragma once

#include <cstdint>
#include <vector>

#include "cria/data/dataset.h"
#include "cria/data/interleaving.h"

namespace cria {

// A permutation of [0, count) keyed by (seed, epoch): the place of `index` in it. Balanced Feistel
// network over the next power of four, Philox as round function, cycle-walking back into range
// (Black & Rogaway, 2002). Constant time and memory whatever count is.
uint64_t permuted(uint64_t index, uint64_t count, uint64_t seed, uint64_t epoch);

// A source of a data mixture.
struct WeightedDataset {
  const Dataset* dataset;
  double weight;  // > 0, in proportion to the others'
};

class Batches {
 public:
  Batches(const Dataset& dataset, int64_t batch, int64_t length, uint64_t seed)
      : Batches(std::vector<WeightedDataset>{{&dataset, 1.0}}, batch, length, seed) {}

  // Windows of several sources in turn, see Interleaving; each has epochs and orders of its own.
  // Error unless batch and length are at least 1.
  Batches(const std::vector<WeightedDataset>& sources, int64_t batch, int64_t length,
          uint64_t seed);

  // Ends shuffling, for models with a segment memory: the windows are cut into `lanes` stretches,
  // and sequence i of every `lanes` sequences (one or several batches) continues stretch i. Error
  // with several sources, and unless lanes is at least 1.
  void read_in_lanes(int64_t lanes);

  // The next batch: inputs and targets [B,T]. Allocates nothing.
  void next(int32_t* inputs, int32_t* targets);
  // The next window alone, [T].
  void next_window(int32_t* inputs, int32_t* targets) { read(position_++, inputs, targets); }

  int64_t batch() const { return batch_; }                                       // B
  int64_t length() const { return length_; }                                     // T
  int64_t windows(size_t source = 0) const { return sources_[source].windows; }  // per epoch

  // Windows handed out since the beginning: all the state there is.
  uint64_t position() const { return position_; }
  void set_position(uint64_t position) { position_ = position; }

 private:
  struct Source {
    const Dataset* dataset;
    int64_t windows;
    uint64_t seed;
  };

  // Reads the window at a position.
  void read(uint64_t position, int32_t* inputs, int32_t* targets) const;

  std::vector<Source> sources_;
  Interleaving interleaving_;
  int64_t batch_, length_;
  int64_t lanes_ = 0;  // 0: shuffled
  uint64_t position_ = 0;
};

}  // namespace cria
