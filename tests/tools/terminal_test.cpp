#include "cli/terminal.h"

#include <gtest/gtest.h>

#include "support/terminal.h"

namespace cria {
namespace {

TEST(Terminal, AFileIsNone) {
  std::FILE* const file = std::tmpfile();
  EXPECT_FALSE(is_terminal(file));
  EXPECT_FALSE(takes_colors(file));
  EXPECT_EQ(terminal_width(file), 80u);
  std::fclose(file);
}

TEST(Terminal, ColorsUnlessNoColorIsSet) {
  const Terminal terminal;
  if (!terminal.get()) GTEST_SKIP() << "no pseudo-terminal here";
  EXPECT_TRUE(is_terminal(terminal.get()));
  ::unsetenv("NO_COLOR");
  EXPECT_TRUE(takes_colors(terminal.get()));
  ::setenv("NO_COLOR", "", 1);
  EXPECT_TRUE(takes_colors(terminal.get()));
  ::setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(takes_colors(terminal.get()));
  ::unsetenv("NO_COLOR");
}

}  // namespace
}  // namespace cria
