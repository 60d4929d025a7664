#include "cria/tensor/touched_rows.h"

#include <gtest/gtest.h>

namespace cria {
namespace {

std::vector<int32_t> rows_of(const TouchedRows& touched) {
  return {touched.rows().begin(), touched.rows().end()};
}

TEST(TouchedRows, KeepsTheOrderOfFirstTouch) {
  TouchedRows touched(4);
  EXPECT_TRUE(touched.rows().empty());
  for (const int64_t row : {3, 1, 3, 0, 1}) touched.add(row);
  EXPECT_EQ(rows_of(touched), (std::vector<int32_t>{3, 1, 0}));
  touched.add_all();
  EXPECT_EQ(rows_of(touched), (std::vector<int32_t>{3, 1, 0, 2}));
  touched.add_all();
  EXPECT_EQ(touched.rows().size(), 4u);
}

TEST(TouchedRows, ClearsCompletely) {
  TouchedRows touched(3);
  touched.add(2);
  touched.clear();
  EXPECT_TRUE(touched.rows().empty());
  touched.add(1);
  touched.add(2);
  EXPECT_EQ(rows_of(touched), (std::vector<int32_t>{1, 2}));
}

}  // namespace
}  // namespace cria
