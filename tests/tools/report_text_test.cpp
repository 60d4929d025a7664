#include "report/report_text.h"

#include <gtest/gtest.h>

namespace cria {
namespace {

TEST(ReportText, ShortenedByCharacters) {
  EXPECT_EQ(shortened("", 4), "");
  EXPECT_EQ(shortened("four", 4), "four");
  EXPECT_EQ(shortened("fives", 4), "f...");
  EXPECT_EQ(shortened("fives", 3), "...");
  EXPECT_EQ(shortened("ééé\u2581é", 5), "ééé\u2581é");
  EXPECT_EQ(shortened("ééé\u2581éa", 5), "éé...");
  // A byte that no character begins with belongs to what is before it.
  EXPECT_EQ(shortened("a\x80\x80zzzz", 4), "a\x80\x80...");
}

// A report of a broken file may have to show a name of any length.
TEST(ReportText, ShortenedFromAMegabyte) {
  std::string text;
  for (int i = 0; i < 500000; ++i) text += "é";
  EXPECT_EQ(shortened(text, 5), "éé...");
  EXPECT_EQ(shortened(text, 500000), text);
  EXPECT_EQ(shortened(text, 499999), text.substr(0, 2 * 499996) + "...");
}

}  // namespace
}  // namespace cria
