#include "inspect/length_counts.h"

#include <gtest/gtest.h>

#include <array>

namespace cria {
namespace {

using CountRows = std::vector<std::array<int64_t, 3>>;

CountRows rows(const LengthCounts& lengths) {
  CountRows all;
  for (const auto& range : lengths.powers_of_two()) {
    all.push_back({range.from, range.to, range.documents});
  }
  return all;
}

TEST(LengthCounts, OneDocument) {
  LengthCounts lengths;
  lengths.add(5);
  EXPECT_EQ(lengths.documents(), 1);
  EXPECT_EQ(lengths.tokens(), 5);
  for (const int percent : {0, 1, 50, 99, 100}) EXPECT_EQ(lengths.quantile(percent), 5);
  EXPECT_EQ(rows(lengths), CountRows({{4, 7, 1}}));
}

// 1, 2, ..., 10 in some order: the q-th percent are the first q/10 of them.
TEST(LengthCounts, QuantilesByNearestRank) {
  LengthCounts lengths;
  for (const int64_t length : {3, 1, 10, 2, 9, 4, 7, 5, 8, 6}) lengths.add(length);
  EXPECT_EQ(lengths.quantile(0), 1);
  EXPECT_EQ(lengths.quantile(10), 1);
  EXPECT_EQ(lengths.quantile(11), 2);
  EXPECT_EQ(lengths.quantile(50), 5);
  EXPECT_EQ(lengths.quantile(90), 9);
  EXPECT_EQ(lengths.quantile(91), 10);
  EXPECT_EQ(lengths.quantile(100), 10);
  EXPECT_EQ(lengths.tokens(), 55);
}

TEST(LengthCounts, RangesHaveNoGaps) {
  LengthCounts lengths, more;
  lengths.add(3, 2);
  more.add(2);
  more.add(3);
  more.add(64);
  lengths.add(more);
  EXPECT_EQ(rows(lengths),
            CountRows({{2, 3, 4}, {4, 7, 0}, {8, 15, 0}, {16, 31, 0}, {32, 63, 0}, {64, 127, 1}}));
  EXPECT_EQ(lengths.documents(), 5);
  EXPECT_EQ(rows(LengthCounts()), CountRows());
}

}  // namespace
}  // namespace cria
