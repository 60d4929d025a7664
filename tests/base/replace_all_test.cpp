#include "base/replace_all.h"

#include <gtest/gtest.h>

namespace cria {
namespace {

TEST(ReplaceAll, EveryPlaceOnce) {
  EXPECT_EQ(replace_all("a--b-c", "-", "+"), "a++b+c");
  EXPECT_EQ(replace_all("aaaaa", "aa", "b"), "bba");
  EXPECT_EQ(replace_all("\r\r\n\n", "\r\n", "\n"), "\r\n\n");  // what comes of it is not looked at
  EXPECT_EQ(replace_all("-a-", "-", ""), "a");
  EXPECT_EQ(replace_all("", "a", "b"), "");
}

}  // namespace
}  // namespace cria
