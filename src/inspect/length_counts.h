// How many documents have each length in tokens.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace cria {

// Exact, and small: n tokens have at most sqrt(2 n) documents of different lengths.
class LengthCounts {
 public:
  // Documents whose lengths are from .. to.
  struct Range {
    int64_t from, to, documents;
  };

  void add(int64_t length, int64_t documents = 1) {
    counts_[length] += documents;
    documents_ += documents;
    tokens_ += length * documents;
  }
  void add(const LengthCounts& other);

  int64_t documents() const { return documents_; }
  int64_t tokens() const { return tokens_; }

  // The smallest length that at least that many percent, 0 to 100, of the documents do not exceed:
  // 50 is the (lower) median, 0 the shortest. Needs a document.
  int64_t quantile(int percent) const;

  // Ranges 1, 2 to 3, 4 to 7, ... from the shortest document's to the longest's.
  std::vector<Range> powers_of_two() const;

 private:
  std::map<int64_t, int64_t> counts_;
  int64_t documents_ = 0, tokens_ = 0;
};

}  // namespace cria
