// The README's example program, as a user of the library would compile it.
#include <gtest/gtest.h>

#include <algorithm>

#include "cria/base/file.h"
#include "support/cli.h"

namespace cria {
namespace {

// What stands between two lines ``` of the README, the first such block of this kind.
std::string readme_block(const std::string& readme, const std::string& kind, size_t from) {
  const size_t begin = readme.find("```" + kind + "\n", from);
  if (begin == std::string::npos) throw std::runtime_error("no block of " + kind);
  const size_t first = readme.find('\n', begin) + 1;
  return readme.substr(first, readme.find("```\n", first) - first);
}

TEST(Library, ReadmeExampleCompilesAndPrintsWhatItSays) {
  if (cria_binary().empty()) GTEST_SKIP() << "CRIA_BINARY does not name the program to test";
  const std::string library =
      std::filesystem::path(cria_binary()).replace_filename("libcria.a").string();
  const std::string readme = read_file(CRIA_SOURCE_DIR "/README.md");
  const size_t section = readme.find("## As a library");
  const std::string program = readme_block(readme, "cpp", section);
  EXPECT_LT(std::ranges::count(program, '\n'), 40);

  const TemporaryDirectory directory;
  write_file(directory / "example.cpp", program);
  const auto shell = [](const std::string& command) {
    return Process("/bin/sh", {"-c", command}, CRIA_SOURCE_DIR).wait();
  };
  const std::string executable = directory / "example";
  const ProcessResult compiled =
      shell(CRIA_COMPILE " -Wall -Wextra -Werror -Iinclude " + (directory / "example.cpp") + " " +
            library + " " CRIA_LINK " -o " + executable);
  ASSERT_EQ(compiled.exit_code, 0) << compiled.err;
  const ProcessResult ran = shell(executable);
  ASSERT_EQ(ran.exit_code, 0) << ran.err;

  // The losses depend on the machine in their last digits.
  const std::string expected = readme_block(readme, "text", section);
  const auto outline = [](std::string text) {
    std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
    return text;
  };
  EXPECT_EQ(outline(ran.out), outline(expected));
}

}  // namespace
}  // namespace cria
