#include "cria/data/batches.h"

#include "cria/base/rng.h"

namespace cria {
namespace {

// Four are enough for large ranges (Luby & Rackoff, 1988); with four, places in ranges below a
// hundred are still visibly correlated with the index.
constexpr uint64_t kRounds = 6;

uint64_t join(uint32_t high, uint32_t low) {
  return uint64_t{high} << 32 | low;
}

// How far the windows of an epoch are moved on: in [0, length).
int64_t shift_of(uint64_t epoch, int64_t length, uint64_t seed) {
  const auto words = philox(seed, fnv1a("batches/shift"), epoch);
  return static_cast<int64_t>(join(words[0], words[1]) % static_cast<uint64_t>(length));
}

}  // namespace

uint64_t permuted(uint64_t index, uint64_t count, uint64_t seed, uint64_t epoch) {
  int half = 0;  // bits; the network permutes [0, 4^half), at most four times what is needed
  while (half < 32 && uint64_t{1} << (2 * half) < count) ++half;
  const uint64_t mask = (uint64_t{1} << half) - 1;
  const auto key = philox(seed, fnv1a("batches/shuffle"), epoch);
  const uint64_t round_seed = join(key[0], key[1]), round_stream = join(key[2], key[3]);
  do {
    uint64_t left = index >> half, right = index & mask;
    for (uint64_t round = 0; round < kRounds; ++round) {
      const uint32_t noise = philox(round_seed, round_stream, round << 32 | right)[0];
      const uint64_t next = left ^ (noise & mask);
      left = right;
      right = next;
    }
    index = left << half | right;
  } while (index >= count);
  return index;
}

Batches::Batches(const Dataset& dataset, int64_t batch, int64_t length, uint64_t seed)
    : dataset_(&dataset),
      batch_(batch),
      length_(length),
      windows_(dataset.training_windows(length)),
      seed_(seed) {}

Window Batches::window_at(uint64_t position) const {
  const uint64_t windows = static_cast<uint64_t>(windows_);
  if (lanes_ > 0) {
    const uint64_t lanes = static_cast<uint64_t>(lanes_), lane = position % lanes;
    const uint64_t index = (lane * windows / lanes + position / lanes) % windows;
    return dataset_->training_window(static_cast<int64_t>(index), length_, 0);
  }
  const uint64_t epoch = position / windows;
  const uint64_t index = permuted(position % windows, windows, seed_, epoch);
  return dataset_->training_window(static_cast<int64_t>(index), length_,
                                   shift_of(epoch, length_, seed_));
}

void Batches::next(int32_t* inputs, int32_t* targets) {
  for (int64_t row = 0; row < batch_; ++row, ++position_) {
    const Window window = window_at(position_);
    dataset_->read(window, inputs + row * length_, targets + row * length_);
  }
}

}  // namespace cria
