#include "cria/data/batches.h"

#include <string>

#include "cria/base/error.h"
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

// The first source has the seed itself: alone, it is read as if there were no sources.
uint64_t source_seed(uint64_t seed, uint64_t source) {
  if (source == 0) return seed;
  const auto words = philox(seed, fnv1a("batches/source"), source);
  return join(words[0], words[1]);
}

std::vector<double> weights_of(const std::vector<WeightedDataset>& sources) {
  std::vector<double> weights;
  for (const WeightedDataset& source : sources) weights.push_back(source.weight);
  return weights;
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

Batches::Batches(const std::vector<WeightedDataset>& sources, int64_t batch, int64_t length,
                 uint64_t seed)
    : interleaving_(weights_of(sources)), batch_(batch), length_(length) {
  if (batch < 1) {
    throw Error("not possible", {.where = "batches: sequences in a batch",
                                 .expected = "at least 1",
                                 .got = std::to_string(batch)});
  }
  for (const auto& [dataset, weight] : sources) {
    sources_.push_back({dataset, dataset->training_windows(length),
                        source_seed(seed, static_cast<uint64_t>(sources_.size()))});
  }
}

void Batches::read_in_lanes(int64_t lanes) {
  if (lanes < 1) {
    throw Error("not possible",
                {.where = "lanes", .expected = "at least 1", .got = std::to_string(lanes)});
  }
  if (sources_.size() > 1) {
    throw Error(
        "several sources cannot be read in the order of their texts",
        {.where = "model.memory_length",
         .expected = "one source: a segment memory goes on where the last "
                     "window of its text ended",
         .got = std::to_string(sources_.size()) + " sources taken in turn",
         .hint = "set model.memory_length = 0, or data.train with one glob over all shards"});
  }
  lanes_ = lanes;
}

void Batches::read(uint64_t position, int32_t* inputs, int32_t* targets) const {
  const auto place = interleaving_.at(position);
  const Source& source = sources_[place.source];
  const uint64_t windows = static_cast<uint64_t>(source.windows);
  const auto read_window = [&](uint64_t index, int64_t shift) {
    const Dataset& dataset = *source.dataset;
    dataset.read(dataset.training_window(static_cast<int64_t>(index), length_, shift), inputs,
                 targets);
  };
  if (lanes_ > 0) {
    const uint64_t lanes = static_cast<uint64_t>(lanes_), lane = position % lanes;
    return read_window((lane * windows / lanes + position / lanes) % windows, 0);
  }
  const uint64_t epoch = place.index / windows;
  read_window(permuted(place.index % windows, windows, source.seed, epoch),
              shift_of(epoch, length_, source.seed));
}

void Batches::next(int32_t* inputs, int32_t* targets) {
  for (int64_t row = 0; row < batch_; ++row) {
    next_window(inputs + row * length_, targets + row * length_);
  }
}

}  // namespace cria
