#include "inspect/nearest_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/errors.h"
#include "support/file_tensor.h"
#include "support/random.h"
#include "support/threads.h"

namespace cria {
namespace {

using Rows = std::vector<NearRow>;

FileTensor table() {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  // 45 degrees, the same direction twice, the opposite, a right angle, and two without a direction.
  return file_tensor({1, 0, 3, 3, 0, 0, 2, 0, -1, 0, 5, 0, 0, 7, nan, 1}, {8, 2}, "table");
}

TEST(NearestRows, ByHand) {
  const Rows rows = nearest_rows(table(), 0, 100);
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_EQ(rows[0], (NearRow{3, 1})) << "of equals the lowest first";
  EXPECT_EQ(rows[1], (NearRow{5, 1}));
  EXPECT_EQ(rows[2].row, 1);
  EXPECT_DOUBLE_EQ(rows[2].cosine, std::sqrt(0.5));
  EXPECT_EQ(rows[3], (NearRow{6, 0}));
  EXPECT_EQ(rows[4], (NearRow{4, -1}));
  EXPECT_EQ(nearest_rows(table(), 0, 1), (Rows{{3, 1}}));
}

// Rows that do not fill the last chunk, and more asked for than a chunk has.
TEST(NearestRows, TheSameWithAnyNumberOfThreads) {
  const FileTensor large = file_tensor(normal_values(3001 * 47, "rows"), {3001, 47});
  Rows expected;
  for (const int threads : {1, 2, 3}) {
    const ThreadCount scope(threads);
    const Rows rows = nearest_rows(large, 17, 1000);
    if (threads == 1) expected = rows;
    EXPECT_EQ(rows, expected) << threads << " threads";
  }
  EXPECT_EQ(expected.size(), 1000u);
  for (size_t i = 1; i < expected.size(); ++i) {
    EXPECT_GE(expected[i - 1].cosine, expected[i].cosine);
  }
}

TEST(NearestRows, Errors) {
  EXPECT_EQ(error_of([] { nearest_rows(table(), 8, 1); }),
            "test: table: no such row\n  expected: 0 to 7\n  got: 8");
  EXPECT_EQ(error_of([] { nearest_rows(table(), 2, 1); }),
            "test: table, row 2: the row has no direction\n  got: all numbers are 0");
  EXPECT_EQ(error_of([] { nearest_rows(table(), 7, 1); }),
            "test: table, row 7: the row has no direction\n  got: numbers that are not finite");
  EXPECT_EQ(error_of([] {
              nearest_rows(file_vector({1, 2}), 0, 1);
            }),
            "test: x: not a matrix\n  expected: [rows, columns]\n  got: [2]");
}

}  // namespace
}  // namespace cria
