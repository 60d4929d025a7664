#include "inspect/dataset_statistics.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/errors.h"
#include "support/files.h"
#include "support/random.h"
#include "support/threads.h"
#include "support/tiny_run.h"

namespace cria {
namespace {

using Ids = std::vector<int32_t>;
using Lengths = std::vector<int64_t>;

class DatasetStatisticsTest : public testing::Test {
 protected:
  void add(const Ids& tokens, int64_t vocabulary = 100) {
    const std::string path = directory_ / (std::to_string(shards_.size()) + ".bin");
    write_shard(path, tokens, vocabulary);
    shards_.emplace_back(path, ShardFormat::llmc);
  }
  ShardStatistics scan(int32_t bos = -1, int32_t eos = -1, int64_t vocabulary = 100) const {
    return scan_shards(shards_, {.vocab_size = vocabulary, .marks = {bos, eos}});
  }
  std::string path(size_t shard) const { return shards_[shard].path(); }

 private:
  TemporaryDirectory directory_;
  std::vector<Shard> shards_;
};

// All of them, in order.
Lengths sorted(const LengthCounts& lengths) {
  Lengths all;
  for (int64_t rank = 1; rank <= lengths.documents(); ++rank) {
    // Below 100 documents every rank has a percentage of its own.
    all.push_back(lengths.quantile(static_cast<int>(100 * rank / lengths.documents())));
  }
  return all;
}

TEST_F(DatasetStatisticsTest, Counts) {
  add({3, 1, 3, 7});
  add({7, 3});
  const ShardStatistics s = scan();
  EXPECT_EQ(s.tokens, 6);
  EXPECT_EQ(s.counts, Lengths({0, 1, 0, 3, 0, 0, 0, 2}));
  EXPECT_EQ(s.distinct(), 3);
  EXPECT_EQ(s.count(3), 3);
  EXPECT_EQ(s.count(99), 0);
  EXPECT_EQ(s.most_frequent(2), Ids({3, 7}));
  EXPECT_EQ(s.most_frequent(20), Ids({3, 7, 1}));
  EXPECT_EQ(s.most_frequent(0), Ids());
  EXPECT_EQ(s.lengths.documents(), 0);
}

TEST_F(DatasetStatisticsTest, DocumentsThatEndWithEos) {
  add({5, 5, 9, 9, 5, 9, 5});
  EXPECT_EQ(sorted(scan(-1, 9).lengths), Lengths({1, 1, 2, 3}));
}

TEST_F(DatasetStatisticsTest, DocumentsThatBeginAtBos) {
  add({5, 8, 5, 5, 8, 8});
  EXPECT_EQ(sorted(scan(8).lengths), Lengths({1, 1, 1, 3}));
}

TEST_F(DatasetStatisticsTest, DocumentsWithBoth) {
  add({8, 5, 9, 8, 5, 5, 9});
  EXPECT_EQ(sorted(scan(8, 9).lengths), Lengths({3, 4}));
}

// Some vocabularies have one token for both: alone it may be either, so only two are a boundary.
TEST_F(DatasetStatisticsTest, OneTokenForBoth) {
  add({9, 5, 5, 9, 9, 5, 9});
  EXPECT_EQ(sorted(scan(9, 9).lengths), Lengths({3, 4}));
}

TEST_F(DatasetStatisticsTest, ADocumentGoesOnInTheNextShard) {
  add({9, 5, 5});
  add({5});
  add({5, 9, 5});
  EXPECT_EQ(sorted(scan(-1, 9).lengths), Lengths({1, 1, 5}));
  EXPECT_EQ(sorted(scan(9).lengths), Lengths({2, 5}));
}

TEST_F(DatasetStatisticsTest, OneTokenAlone) {
  add({0});
  EXPECT_EQ(sorted(scan(-1, 9).lengths), Lengths({1}));
  EXPECT_EQ(sorted(scan(0, 0).lengths), Lengths({1}));
}

// Against a loop over all tokens, with more of them than a thread takes at a time.
TEST_F(DatasetStatisticsTest, ManyTokensOnAnyThreads) {
  Rng rng(1, "tokens");
  Lengths lengths(1, 0), counts(100);
  for (int shard = 0; shard < 3; ++shard) {
    Ids tokens(150000);
    for (int32_t& token : tokens) {
      token = static_cast<int32_t>(rng.below(5000) == 0 ? 99 : rng.below(99));
      ++counts[static_cast<size_t>(token)];
      ++lengths.back();
      if (token == 99) lengths.push_back(0);
    }
    add(tokens);
  }
  if (lengths.back() == 0) lengths.pop_back();
  std::ranges::sort(lengths);
  for (const int threads : {1, 3}) {
    const ThreadCount count(threads);
    const ShardStatistics s = scan(-1, 99);
    EXPECT_EQ(s.counts, counts);
    EXPECT_EQ(s.lengths.documents(), static_cast<int64_t>(lengths.size()));
    EXPECT_EQ(s.lengths.tokens(), 450000);
    EXPECT_EQ(s.lengths.quantile(0), lengths.front());
    EXPECT_EQ(s.lengths.quantile(50), lengths[(lengths.size() + 1) / 2 - 1]);
    EXPECT_EQ(s.lengths.quantile(100), lengths.back());
  }
}

TEST_F(DatasetStatisticsTest, AnIdOutsideTheVocabulary) {
  add(Ids(200000, 1), 70000);
  Ids second(200000, 1);
  second[150000] = 80;
  second[199999] = 90;
  add(second, 70000);
  for (const int threads : {1, 3}) {
    const ThreadCount count(threads);
    const std::string error = error_of([&] { scan(-1, -1, 50); });
    for (const std::string& part : {path(1) + " at byte 601024", std::string("80 as token 150000"),
                                    std::string("below vocab_size = 50")}) {
      EXPECT_NE(error.find(part), std::string::npos) << error;
    }
  }
}

}  // namespace
}  // namespace cria
