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

TEST(Terminal, IsNotCommandedByText) {
  const std::string text = "a\tb\n\x1b]0;title\x07";
  const Terminal terminal;
  if (!terminal.get()) GTEST_SKIP() << "no pseudo-terminal here";
  EXPECT_EQ(shown(terminal.get(), text), "a\tb\n\\x1b]0;title\\x07");
  std::FILE* const file = std::tmpfile();
  EXPECT_EQ(shown(file, text), text);
  std::fclose(file);
}

}  // namespace
}  // namespace cria
