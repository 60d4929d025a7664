// The pages say what the program does: keys, commands and options in them are those that it prints,
// and links lead to files and headings that exist.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/toml.h"
#include "cria/base/file.h"
#include "cria/train/run_config.h"
#include "support/cli.h"
#include "support/well_formed.h"

namespace cria {
namespace {

namespace fs = std::filesystem;

const fs::path kProject = CRIA_SOURCE_DIR;

std::string page(const fs::path& path) {
  return read_file((kProject / path).string());
}

// Every page, but what is generated: of data/ only its own.
std::vector<fs::path> pages() {
  std::vector<fs::path> found = {"README.md", "data/README.md"};
  for (const char* folder : {"configs", "src", "tests", "tools"}) {
    for (const auto& entry : fs::recursive_directory_iterator(kProject / folder)) {
      if (entry.path().extension() == ".md") found.push_back(fs::relative(entry.path(), kProject));
    }
  }
  return found;
}

// What the first group of the pattern matches, in order.
std::vector<std::string> matches(const std::string& text, const std::regex& pattern) {
  std::vector<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) {
    found.push_back((*it)[1]);
  }
  return found;
}

std::set<std::string> set_of(const std::vector<std::string>& all) {
  return {all.begin(), all.end()};
}

// The text between the lines ``` of all blocks of this kind.
std::vector<std::string> blocks(const std::string& text, const std::string& kind) {
  std::vector<std::string> found;
  const std::string begin = "\n```" + kind + "\n";
  for (size_t at = 0; (at = text.find(begin, at)) != std::string::npos;) {
    at += begin.size();
    found.push_back(text.substr(at, text.find("```\n", at) - at));
  }
  return found;
}

// Rows of tables whose first cell is in code: that cell and what follows it.
std::map<std::string, std::string> rows(const std::string& section) {
  std::map<std::string, std::string> found;
  const std::regex pattern("\n\\| `([^`]+)` \\|([^\n]*)");
  for (std::sregex_iterator it(section.begin(), section.end(), pattern), end; it != end; ++it) {
    found[(*it)[1]] = (*it)[2];
  }
  return found;
}

// What stands below a heading, up to the next of the same kind.
std::string section(const std::string& text, const std::string& heading) {
  const size_t begin = text.find("\n" + heading + "\n");
  if (begin == std::string::npos) throw std::runtime_error("no section " + heading);
  return text.substr(begin, text.find("\n## ", begin + 1) - begin);
}

// The anchor that GitHub makes of a heading.
std::string anchor(const std::string& heading) {
  std::string made;
  for (const char c : heading) {
    if (c == ' ') made += '-';
    if (c == '-' || c == '_' || std::isalnum(static_cast<unsigned char>(c))) {
      made += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return made;
}

TEST(Pages, LinksLeadToFilesAndHeadingsThatExist) {
  const std::regex link(R"(\]\(([^)]+)\))"), heading("\n#+ ([^\n]+)");
  size_t checked = 0;
  for (const fs::path& from : pages()) {
    for (const std::string& target : matches(page(from), link)) {
      if (target.starts_with("http")) continue;
      const size_t hash = std::min(target.find('#'), target.size());
      const fs::path to = hash == 0 ? from : from.parent_path() / target.substr(0, hash);
      EXPECT_TRUE(fs::exists(kProject / to)) << from << " links to " << target;
      ++checked;
      if (hash == target.size() || !fs::exists(kProject / to)) continue;
      std::set<std::string> anchors;
      for (const std::string& each : matches("\n" + page(to), heading))
        anchors.insert(anchor(each));
      EXPECT_TRUE(anchors.contains(target.substr(hash + 1))) << from << " links to " << target;
    }
  }
  EXPECT_GT(checked, 20u);
}

// A newcomer reads it in five minutes, in a terminal too.
TEST(Pages, ReadmeIsShort) {
  const std::string readme = page("README.md");
  EXPECT_LE(std::ranges::count(readme, '\n'), 250);
  for (const std::string& line : matches(readme, std::regex("([^\n]*)\n"))) {
    EXPECT_LE(line.size(), 80u) << line;
  }
}

TEST(Pages, PicturesAreSmallAndForBothThemes) {
  size_t checked = 0;
  for (const auto& entry : fs::directory_iterator(kProject / "data/pictures")) {
    const std::string svg = read_file(entry.path().string());
    EXPECT_LT(svg.size(), 60u * 1000) << entry.path();
    EXPECT_EQ(MarkupCheck::fault(svg), "") << entry.path();
    EXPECT_TRUE(contains(svg, "prefers-color-scheme:dark")) << entry.path();
    ++checked;
  }
  EXPECT_GE(checked, 2u);
}

std::set<std::string> known_keys() {
  std::set<std::string> keys;
  for (const TomlEntry& entry : parse_toml(describe_keys(), "keys")) keys.insert(entry.key);
  return keys;
}

TEST(Pages, ConfigsListEveryKey) {
  const std::string list = "\n```toml\n" + describe_keys() + "```\n";
  EXPECT_NE(page("configs/README.md").find(list), std::string::npos)
      << "configs/README.md needs the list of 'cria train --help'";
}

TEST(Pages, NameOnlyKeysThatThereAre) {
  const std::set<std::string> keys = known_keys();
  const std::regex named("(data\\.sources|optimizer\\.groups)\\.[a-z]+\\.");
  // Of the file of an experiment: what is around the keys, and its own.
  const std::regex around("^(common|sweep|variants\\.[a-z_]+)\\.");
  const std::set<std::string> own = {"base", "seeds", "sweep_seeds", "match"};
  // `train.steps` and `train.steps=100`; model.safetensors and names of tensors look alike.
  const std::regex in_code(
      "[` ](((model(?!\\.(safetensors|layers|embed_tokens|norm))|data|train|optimizer|schedule|log)"
      "\\.(?!(txt|safetensors))[a-z0-9_.]+))(?=[`= ])");
  size_t checked = 0;
  for (const fs::path& path : pages()) {
    if (path.parent_path() == "tests/golden") continue;
    const std::string text = page(path);
    for (const std::string& block : blocks(text, "toml")) {
      for (const TomlEntry& entry : parse_toml(block, path.string())) {
        const std::string key =
            std::regex_replace(std::regex_replace(entry.key, around, ""), named, "$1.NAME.");
        if (own.contains(key)) continue;
        EXPECT_TRUE(keys.contains(key)) << path << ": " << entry.key;
      }
    }
    for (const std::string& key : matches(text, in_code)) {
      EXPECT_TRUE(keys.contains(key)) << path << ": " << key;
      ++checked;
    }
  }
  EXPECT_GT(checked, 20u);
}

TEST(Pages, ListEveryFuzzTarget) {
  std::set<std::string> targets, listed;
  for (const auto& entry : fs::directory_iterator(kProject / "tests/fuzz/corpus")) {
    targets.insert(entry.path().filename().string());
  }
  for (const auto& [target, rest] : rows(section(page("tests/README.md"), "## Fuzzing"))) {
    listed.insert(target);
  }
  EXPECT_EQ(listed, targets);
}

class PagesCli : public testing::Test {
 public:
  // Each command with its options, as its --help lists them.
  void SetUp() override {
    if (cria_binary().empty()) GTEST_SKIP() << "CRIA_BINARY does not name the program to test";
    for (const std::string& command : matches(help({"--help"}), std::regex("\n  ([a-z]+)  "))) {
      const std::string text = help({command, "--help"});
      options_[command] = set_of(matches(text, std::regex("\n  (--?[a-z0-9-]+)")));
    }
    ASSERT_GT(options_.size(), 10u);
  }

  static std::string help(const std::vector<std::string>& arguments) {
    const ProcessResult result = Process(cria_binary(), arguments, CRIA_SOURCE_DIR).wait();
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out;
  }

 protected:
  std::map<std::string, std::set<std::string>> options_;
};

TEST_F(PagesCli, ReadmeListsEveryCommand) {
  std::set<std::string> listed;
  for (const auto& [usage, meaning] : rows(section(page("README.md"), "## Commands"))) {
    const size_t name = std::string("cria ").size();
    const std::string command = usage.substr(name, usage.find(' ', name) - name);
    listed.insert(command);
    EXPECT_TRUE(contains(help({command, "--help"}), "usage: " + usage)) << usage;
  }
  for (const auto& [command, options] : options_) EXPECT_TRUE(listed.contains(command)) << command;
}

TEST_F(PagesCli, ToolsListEveryOption) {
  const std::string table = page("tools/README.md");
  const auto listed = rows(table.substr(0, table.find("\n## ")));
  for (const auto& [command, options] : options_) {
    ASSERT_TRUE(listed.contains(command)) << command;
    std::set<std::string> expected = options;
    for (const char* const common : {"--help", "--threads", "--no-verify"}) expected.erase(common);
    EXPECT_EQ(set_of(matches(listed.at(command), std::regex("`(-[^`]+)`"))), expected) << command;
  }
  EXPECT_EQ(listed.size(), options_.size());
}

// Commands are found in text, in blocks, and over several lines.
TEST_F(PagesCli, PagesUseOptionsThatThereAre) {
  const std::regex call(R"(cria ([a-z]+)((?:\\\n|[^\n`])*))"), option(R"( (--?[a-z][a-z0-9-]*))");
  size_t checked = 0;
  for (const fs::path& path : pages()) {
    const std::string text = page(path);
    for (std::sregex_iterator it(text.begin(), text.end(), call), end; it != end; ++it) {
      const auto command = options_.find((*it)[1]);
      if (command == options_.end()) continue;  // "cria trains ..."
      for (const std::string& each : matches((*it)[2], option)) {
        EXPECT_TRUE(command->second.contains(each)) << path << ": " << it->str();
        ++checked;
      }
    }
  }
  EXPECT_GT(checked, 30u);
}

}  // namespace
}  // namespace cria
