#include "cria/data/batches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "cria/base/error.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

std::vector<uint64_t> permutation(uint64_t count, uint64_t seed, uint64_t epoch) {
  std::vector<uint64_t> places(count);
  for (uint64_t i = 0; i < count; ++i) places[i] = permuted(i, count, seed, epoch);
  return places;
}

bool is_permutation_of_range(std::vector<uint64_t> places) {
  std::sort(places.begin(), places.end());
  for (uint64_t i = 0; i < places.size(); ++i) {
    if (places[i] != i) return false;
  }
  return true;
}

TEST(Permuted, IsAPermutation) {
  for (uint64_t count = 1; count <= 300; ++count) {
    EXPECT_TRUE(is_permutation_of_range(permutation(count, 1, count))) << count;
  }
  // Around powers of four, where the network's range changes.
  for (const uint64_t count : {1023, 1024, 1025, 4095, 4096, 4097, 5000}) {
    EXPECT_TRUE(is_permutation_of_range(permutation(count, 2, 0))) << count;
  }
}

TEST(Permuted, DependsOnSeedAndEpoch) {
  const auto places = permutation(1000, 1, 0);
  EXPECT_EQ(permutation(1000, 1, 0), places);
  for (const auto& other : {permutation(1000, 2, 0), permutation(1000, 1, 1)}) {
    int same = 0;
    for (size_t i = 0; i < places.size(); ++i) same += other[i] == places[i];
    // One is expected of two independent permutations; twelve happens once in 10^9.
    EXPECT_LT(same, 12);
  }
}

// Independent uniform permutations of n have a correlation of index and place with mean 0 and
// variance 1 / (n - 1), a mean displacement of (n^2 - 1) / (3 n), and places that follow directly
// on the one before (n - 1) / n times on average, as a Poisson variable.
TEST(Permuted, MixesWell) {
  for (const uint64_t count : {20, 64, 1000, 4357}) {
    const double n = static_cast<double>(count), middle = (n - 1) / 2;
    const int epochs = static_cast<int>(60000 / count);
    double square = 0, displacement = 0;
    int neighbours = 0;
    for (uint64_t epoch = 0; epoch < static_cast<uint64_t>(epochs); ++epoch) {
      const auto places = permutation(count, 3, epoch);
      double covariance = 0;
      for (size_t i = 0; i < count; ++i) {
        const double index = static_cast<double>(i), place = static_cast<double>(places[i]);
        covariance += (index - middle) * (place - middle);
        displacement += std::abs(index - place);
        if (i > 0 && places[i] == places[i - 1] + 1) ++neighbours;
      }
      const double correlation = covariance / (n * (n * n - 1) / 12);
      square += correlation * correlation * (n - 1);
    }
    // Nearly chi-squared with a degree of freedom for each epoch; five standard deviations.
    EXPECT_NEAR(square, epochs, 5 * std::sqrt(2.0 * epochs)) << count;
    // One displacement deviates by about n / 4; the sum over an epoch is that of n dependent ones,
    // less than independent ones would. Five of them.
    const double mean = displacement / epochs / n;
    EXPECT_NEAR(mean, (n * n - 1) / (3 * n), 5 * n / 4 / std::sqrt(n * epochs)) << count;
    EXPECT_NEAR(neighbours, epochs * (n - 1) / n, 5 * std::sqrt(epochs)) << count;
  }
}

// A tiny set has few orders; over many epochs each element must come first about as often.
TEST(Permuted, EveryElementLeadsEquallyOften) {
  constexpr int kEpochs = 7000;
  std::vector<int> leads(7);
  for (uint64_t epoch = 0; epoch < kEpochs; ++epoch) ++leads[permuted(0, 7, 5, epoch)];
  // Binomial: mean 1000, standard deviation 29; five of them.
  for (const int count : leads) EXPECT_NEAR(count, 1000, 146);
}

TEST(Permuted, WorksForHugeCounts) {
  for (const uint64_t count :
       {(uint64_t{1} << 62) - 1, uint64_t{1} << 62, (uint64_t{1} << 40) + 7}) {
    std::set<uint64_t> places;
    for (uint64_t i = 0; i < 500; ++i) {
      for (const uint64_t index : {i, count - 1 - i}) {
        const uint64_t place = permuted(index, count, 1, 2);
        EXPECT_LT(place, count);
        places.insert(place);
      }
    }
    EXPECT_EQ(places.size(), 1000u);
    // Uniform in [0, count): no place of 1000 in the last fiftieth has a chance of 2e-9.
    EXPECT_GT(*places.rbegin(), count / 50 * 49);
  }
}

class BatchesTest : public testing::Test {
 protected:
  static constexpr int64_t kLength = 8;

  // Tokens 0, 1, ... in two shards, so that a token tells its place; 13 + 6 windows and rests of 5
  // and 7 targets. Token 110 begins the second shard.
  BatchesTest() : dataset_(written()) {}

  Dataset written() const {
    std::vector<int32_t> tokens(110 + 56);
    std::iota(tokens.begin(), tokens.end(), 0);
    const std::span<const int32_t> all = tokens;
    write("a_0.bin", all.first(110));
    write("a_1.bin", all.subspan(110));
    return Dataset(directory_ / "a_*.bin", ShardFormat::llmc, 256);
  }

  void write(const std::string& name, std::span<const int32_t> tokens) const {
    ShardWriter writer(directory_ / name, 256);
    writer.write(tokens);
    writer.finish();
  }

  // The first token of each of `count` windows, in batches of `batch`; checks the rest of them.
  static std::vector<int32_t> firsts(Batches& batches, int64_t batch, int64_t count) {
    std::vector<int32_t> inputs(static_cast<size_t>(batch * kLength)), targets = inputs, all;
    for (int64_t i = 0; i < count / batch; ++i) {
      batches.next(inputs.data(), targets.data());
      for (size_t at = 0; at < inputs.size(); ++at) {
        EXPECT_EQ(targets[at], inputs[at] + 1);
        if (at % kLength == 0) {
          all.push_back(inputs[at]);
        } else {
          EXPECT_EQ(inputs[at], inputs[at - 1] + 1);
        }
      }
    }
    return all;
  }

  TemporaryDirectory directory_;
  Dataset dataset_;
};

TEST_F(BatchesTest, EveryWindowOncePerEpoch) {
  Batches batches(dataset_, 1, kLength, 1);
  ASSERT_EQ(batches.windows(), 19);
  std::set<std::vector<int32_t>> orders;
  std::set<int32_t> shifts;
  for (int epoch = 0; epoch < 64; ++epoch) {
    std::vector<int32_t> starts = firsts(batches, 1, 19);
    orders.insert(starts);
    std::sort(starts.begin(), starts.end());
    const int32_t shift = starts[0];
    shifts.insert(shift);
    ASSERT_GE(shift, 0);
    ASSERT_LT(shift, kLength);
    for (int32_t i = 0; i < 13; ++i) {
      ASSERT_EQ(starts[static_cast<size_t>(i)], std::min(8 * i + shift, 101));
    }
    for (int32_t i = 0; i < 6; ++i) {
      ASSERT_EQ(starts[static_cast<size_t>(13 + i)], 110 + std::min(8 * i + shift, 47));
    }
  }
  EXPECT_EQ(orders.size(), 64u);
  // Eight shifts are possible; that 64 draws miss a given one has a chance of 2e-4, and the seed is
  // fixed.
  EXPECT_EQ(shifts.size(), 8u);
}

TEST_F(BatchesTest, BatchesStraddleEpochs) {
  Batches one(dataset_, 1, kLength, 4), five(dataset_, 5, kLength, 4);
  EXPECT_EQ(firsts(one, 1, 60), firsts(five, 5, 60));
  EXPECT_EQ(five.position(), 60u);
}

TEST_F(BatchesTest, PositionIsAllTheState) {
  Batches batches(dataset_, 4, kLength, 9);
  firsts(batches, 4, 28);
  const uint64_t position = batches.position();
  const auto expected = firsts(batches, 4, 40);
  Batches resumed(dataset_, 4, kLength, 9);
  resumed.set_position(position);
  EXPECT_EQ(firsts(resumed, 4, 40), expected);
  Batches other(dataset_, 4, kLength, 10);
  other.set_position(position);
  EXPECT_NE(firsts(other, 4, 40), expected);
}

// Each sequence of a batch goes on where it was; together they read every window once.
TEST_F(BatchesTest, LanesFollowTheText) {
  Batches batches(dataset_, 2, kLength, 4);
  batches.read_in_lanes(4);  // two batches of two
  std::vector<std::vector<int32_t>> lanes(4);
  std::vector<int32_t> all;
  for (int step = 0; step < 19; ++step) {
    const std::vector<int32_t> starts = firsts(batches, 2, 4);
    for (size_t lane = 0; lane < 4; ++lane) lanes[lane].push_back(starts[lane]);
    all.insert(all.end(), starts.begin(), starts.end());
  }
  // 19 windows begin at 0, 8, ..., 96 and 110, 118, ..., 150, and the lanes at windows 0, 4, 9, 14.
  const auto start = [](size_t window) {
    return static_cast<int32_t>(window < 13 ? 8 * window : 110 + 8 * (window - 13));
  };
  const size_t first[] = {0, 4, 9, 14};
  for (size_t lane = 0; lane < 4; ++lane) {
    for (size_t step = 0; step < 19; ++step) {
      EXPECT_EQ(lanes[lane][step], start((first[lane] + step) % 19));
    }
  }
  Batches resumed(dataset_, 2, kLength, 4);
  resumed.read_in_lanes(4);
  resumed.set_position(40);
  EXPECT_EQ(firsts(resumed, 2, 4), (std::vector<int32_t>(all.begin() + 40, all.begin() + 44)));
}

// 19 windows of the one, 4 of the other; the token 200 begins the second source.
class SourcesTest : public BatchesTest {
 protected:
  SourcesTest() : other_(written_other()) {}

  Dataset written_other() const {
    std::vector<int32_t> tokens(40);
    std::iota(tokens.begin(), tokens.end(), 200);
    write("b.bin", tokens);
    return Dataset(directory_ / "b.bin", ShardFormat::llmc, 256);
  }

  Batches sources(double weight, double other, uint64_t seed = 1) const {
    return Batches({{&dataset_, weight}, {&other_, other}}, 1, kLength, seed);
  }

  Dataset other_;
};

TEST_F(SourcesTest, EveryWindowOfASourceOncePerItsEpoch) {
  Batches batches = sources(2.5, 1);
  EXPECT_EQ(batches.windows(0), 19);
  EXPECT_EQ(batches.windows(1), 4);
  std::vector<std::vector<int32_t>> read(2);
  for (const int32_t start : firsts(batches, 1, 19 * 35)) {
    read[start < 200 ? 0 : 1].push_back(start);
  }
  EXPECT_EQ(read[0].size(), 475u);  // 5 of 7: 25 epochs
  EXPECT_EQ(read[1].size(), 190u);
  std::set<std::vector<int32_t>> orders;
  for (const auto& [source, windows] : {std::pair<size_t, size_t>{0, 19}, {1, 4}}) {
    for (size_t begin = 0; begin + windows <= read[source].size(); begin += windows) {
      const auto first = read[source].begin() + static_cast<std::ptrdiff_t>(begin);
      const std::vector<int32_t> epoch(first, first + static_cast<std::ptrdiff_t>(windows));
      // All windows of an epoch have its shift, so no two of them have the same beginning.
      EXPECT_EQ(std::set(epoch.begin(), epoch.end()).size(), windows);
      orders.insert(epoch);
    }
  }
  EXPECT_GT(orders.size(), 60u);  // of 25 + 47
}

TEST_F(SourcesTest, AloneTheFirstIsReadAsEver) {
  Batches alone(dataset_, 1, kLength, 3);
  Batches as_source({{&dataset_, 0.1}}, 1, kLength, 3), with_other = sources(1, 1, 3);
  const std::vector<int32_t> want = firsts(alone, 1, 60);
  EXPECT_EQ(firsts(as_source, 1, 60), want);
  std::vector<int32_t> of_first;
  for (const int32_t start : firsts(with_other, 1, 120)) {
    if (start < 200) of_first.push_back(start);
  }
  EXPECT_EQ(of_first, want);
}

// The same shards twice are not read in the same order.
TEST_F(SourcesTest, EachHasAnOrderOfItsOwn) {
  Batches batches({{&dataset_, 1.0}, {&dataset_, 1.0}}, 1, kLength, 3);
  const std::vector<int32_t> all = firsts(batches, 1, 38);
  std::vector<std::vector<int32_t>> each(2);
  for (size_t i = 0; i < all.size(); ++i) each[i % 2].push_back(all[i]);
  EXPECT_NE(each[0], each[1]);
}

TEST_F(SourcesTest, PositionIsAllTheState) {
  Batches batches = sources(1, 0.3);
  const std::vector<int32_t> all = firsts(batches, 1, 100);
  Batches resumed = sources(1, 0.3);
  resumed.set_position(37);
  EXPECT_EQ(firsts(resumed, 1, 63), std::vector<int32_t>(all.begin() + 37, all.end()));
}

TEST_F(SourcesTest, NotInLanes) {
  Batches batches = sources(1, 1);
  const std::string message = error_of([&] { batches.read_in_lanes(2); });
  EXPECT_NE(message.find("model.memory_length"), std::string::npos) << message;
  EXPECT_NE(message.find("2 sources"), std::string::npos) << message;
}

TEST_F(BatchesTest, NeedsOneWindow) {
  EXPECT_EQ(Batches(dataset_, 1, 109, 1).windows(), 1);
  EXPECT_THROW(Batches(dataset_, 1, 110, 1), Error);
}

TEST_F(BatchesTest, NeedSizesOfAtLeastOne) {
  EXPECT_TRUE(error_of([&] { Batches(dataset_, 0, 4, 1); }).starts_with("batches: "));
  EXPECT_TRUE(error_of([&] { Batches(dataset_, 1, 0, 1); }).starts_with("tokens of a window: "));
  Batches batches(dataset_, 1, 4, 1);
  EXPECT_TRUE(error_of([&] { batches.read_in_lanes(0); }).starts_with("lanes: "));
  EXPECT_THROW(dataset_.evaluation_windows(0), Error);
  EXPECT_THROW(dataset_.training_windows(-1), Error);
}

}  // namespace
}  // namespace cria
