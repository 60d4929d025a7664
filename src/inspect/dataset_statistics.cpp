#include "inspect/dataset_statistics.h"

#include <algorithm>
#include <utility>

#include "base/first_error.h"
#include "cria/base/parallel.h"

namespace cria {
namespace {

constexpr int64_t kChunkTokens = 1 << 16;  // what a thread reads at a time
constexpr int32_t kNoToken = -2;           // no mark either
constexpr int64_t kRoundChunks = 512;      // what all threads read between two reports of progress

struct Chunk {
  const Shard* shard;
  int64_t begin, length;
  const Shard* before;  // ends with the token before the chunk, when that is in another shard
};

std::vector<Chunk> chunks_of(std::span<const Shard> shards) {
  std::vector<Chunk> chunks;
  const Shard* before = nullptr;
  for (const Shard& shard : shards) {
    for (int64_t begin = 0; begin < shard.tokens(); begin += kChunkTokens) {
      chunks.push_back({&shard, begin, std::min(kChunkTokens, shard.tokens() - begin), before});
    }
    before = &shard;
  }
  return chunks;
}

// The documents that a chunk cuts off at its ends.
struct Ends {
  bool cut = false;            // some document begins in the chunk
  int64_t head = 0, tail = 0;  // tokens before the first such place, and after the last
};

// What one thread has seen.
struct Tally {
  std::vector<int32_t> ids = std::vector<int32_t>(kChunkTokens);
  std::vector<int64_t> counts;
  LengthCounts lengths;  // of the documents inside a chunk

  void count(std::span<const int32_t> tokens) {
    const int32_t largest = *std::ranges::max_element(tokens);
    if (largest >= static_cast<int32_t>(counts.size())) {
      counts.resize(static_cast<size_t>(largest) + 1);
    }
    for (const int32_t id : tokens) ++counts[static_cast<size_t>(id)];
  }

  Ends measure(int32_t before, std::span<const int32_t> tokens, const DocumentMarks& marks) {
    Ends ends;
    int64_t last = 0;
    const auto begin_document = [&](int64_t at) {
      if (!ends.cut) {
        ends.head = at;
      } else if (at > last) {
        lengths.add(at - last);
      }
      ends.cut = true;
      last = at;
    };
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (begins_document(std::exchange(before, tokens[i]), tokens[i], marks)) {
        begin_document(static_cast<int64_t>(i));
      }
    }
    ends.tail = static_cast<int64_t>(tokens.size()) - last;
    return ends;
  }
};

}  // namespace

int64_t ShardStatistics::distinct() const {
  return std::ranges::count_if(counts, [](int64_t count) { return count > 0; });
}

std::vector<int32_t> ShardStatistics::most_frequent(size_t top) const {
  std::vector<int32_t> ids;
  for (size_t id = 0; id < counts.size(); ++id) {
    if (counts[id] > 0) ids.push_back(static_cast<int32_t>(id));
  }
  const auto more_often = [&](int32_t a, int32_t b) {
    return count(a) != count(b) ? count(a) > count(b) : a < b;
  };
  const size_t kept = std::min(top, ids.size());
  std::partial_sort(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(kept), ids.end(), more_often);
  ids.resize(kept);
  return ids;
}

ShardStatistics scan_shards(std::span<const Shard> shards, const ShardScan& scan) {
  const std::vector<Chunk> chunks = chunks_of(shards);
  const auto count = static_cast<int64_t>(chunks.size());
  const bool marked = !(scan.marks == DocumentMarks{});
  ShardStatistics result;
  for (const Shard& shard : shards) result.tokens += shard.tokens();
  std::vector<Tally> tallies(static_cast<size_t>(max_threads()));
  // Documents that chunks have cut are put together, chunk after chunk.
  int64_t open = 0;  // tokens of the one that has not ended
  const auto end_document = [&](int64_t tokens) {
    if (open + tokens > 0) result.lengths.add(open + tokens);
    open = 0;
  };
  int64_t done = 0;
  for (int64_t first = 0; first < count; first += kRoundChunks) {
    const int64_t round = std::min(kRoundChunks, count - first);
    std::vector<Ends> ends(static_cast<size_t>(round));
    FirstError error;
    parallel_tasks(round, [&](int64_t item, int thread) {
      error.attempt(item, [&] {
        const Chunk& chunk = chunks[static_cast<size_t>(first + item)];
        Tally& tally = tallies[static_cast<size_t>(thread)];
        chunk.shard->read(chunk.begin, chunk.length, scan.vocab_size, tally.ids.data());
        const std::span<const int32_t> tokens(tally.ids.data(), static_cast<size_t>(chunk.length));
        tally.count(tokens);
        if (!marked) return;
        int32_t before = kNoToken;
        if (chunk.begin > 0) {
          chunk.shard->read(chunk.begin - 1, 1, scan.vocab_size, &before);
        } else if (chunk.before) {
          chunk.before->read(chunk.before->tokens() - 1, 1, scan.vocab_size, &before);
        }
        ends[static_cast<size_t>(item)] = tally.measure(before, tokens, scan.marks);
      });
    });
    error.rethrow();
    for (int64_t i = 0; i < round; ++i) {
      const Ends& each = ends[static_cast<size_t>(i)];  // all 0 without marks
      if (each.cut) end_document(each.head);
      open += each.tail;
      done += chunks[static_cast<size_t>(first + i)].length;
    }
    if (scan.progress && count > kRoundChunks) scan.progress(done, result.tokens);
  }
  end_document(0);
  for (const Tally& tally : tallies) {
    result.counts.resize(std::max(result.counts.size(), tally.counts.size()));
    for (size_t id = 0; id < tally.counts.size(); ++id) result.counts[id] += tally.counts[id];
    result.lengths.add(tally.lengths);
  }
  return result;
}

}  // namespace cria
