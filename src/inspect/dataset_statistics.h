// What is in token shards: how often each id occurs, and how long the documents are.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cria/data/documents.h"
#include "cria/data/shard.h"
#include "inspect/length_counts.h"

namespace cria {

struct ShardScan {
  int64_t vocab_size;                                              // ids are below it
  DocumentMarks marks = {};                                        // where documents begin
  std::function<void(int64_t done, int64_t total)> progress = {};  // tokens, every few millions
};

struct ShardStatistics {
  int64_t tokens = 0;
  std::vector<int64_t> counts;  // by id, up to the largest that occurs
  LengthCounts lengths;         // bos and eos counted; empty when the scan has no marks

  int64_t count(int64_t id) const {
    return id < static_cast<int64_t>(counts.size()) ? counts[static_cast<size_t>(id)] : 0;
  }
  // Ids that occur.
  int64_t distinct() const;
  // The ids that occur most often, most often first, of equals the lowest first.
  std::vector<int32_t> most_frequent(size_t top) const;
};

// Reads all tokens once, on all threads; memory is bounded by the vocabulary. A document may go on
// in the next shard. Error for an id that is not below vocab_size, naming shard and place.
ShardStatistics scan_shards(std::span<const Shard> shards, const ShardScan& scan);

}  // namespace cria
