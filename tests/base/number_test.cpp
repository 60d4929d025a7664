#include "base/number.h"

#include <gtest/gtest.h>

#include <limits>

namespace cria {
namespace {

TEST(Number, WholeTextsOnly) {
  int64_t whole = 7;
  EXPECT_TRUE(parse_number("-12", whole));
  EXPECT_EQ(whole, -12);
  for (const char* text : {"", "1x", " 1", "1 ", "1.0", "9223372036854775808", "--1"}) {
    EXPECT_FALSE(parse_number(text, whole)) << text;
    EXPECT_EQ(whole, -12) << text;
  }
  double real = 7;
  EXPECT_TRUE(parse_number("-1.5e-3", real));
  EXPECT_EQ(real, -1.5e-3);
  EXPECT_TRUE(parse_number("3", real));
  for (const char* text : {"", "1.5x", " 1.5", "1.5 ", "1e400", "e5", "1e"}) {
    EXPECT_FALSE(parse_number(text, real)) << text;
    EXPECT_EQ(real, 3.0) << text;
  }
}

TEST(Number, ShortestDoubleReadsBack) {
  EXPECT_EQ(shortest_double(1.0), "1.0");
  EXPECT_EQ(shortest_double(0.1), "0.1");
  EXPECT_EQ(shortest_double(1e22), "1e+22");
  for (const double value : {1.0 / 3, -0.0, 5e-324, std::numeric_limits<double>::max()}) {
    double back = 0;
    EXPECT_TRUE(parse_number(shortest_double(value), back));
    EXPECT_EQ(back, value);
  }
}

}  // namespace
}  // namespace cria
