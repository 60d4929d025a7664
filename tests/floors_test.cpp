// The shape of the source tree: floors include downward only, and src/README.md lists every unit.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "cria/base/file.h"

namespace cria {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = CRIA_SOURCE_DIR;

// The floor of each room of src/ and include/cria/.
const std::map<std::string, int>& rooms() {
  static const std::map<std::string, int> all = {
      {"base", 0},    {"distributed", 1},     {"tensor", 1},      {"kernels", 2}, {"position", 3},
      {"nn", 4},      {"model", 5},           {"optim", 5},       {"text", 5},    {"data", 5},
      {"io", 5},      {"tokenizer_files", 6}, {"exchange", 7},    {"prepare", 8}, {"inference", 8},
      {"inspect", 8}, {"train", 9},           {"experiment", 10}, {"report", 11},
  };
  return all;
}

// Only the model is built from layers; the other rooms of its floor stand on the first three.
bool may_include(const std::string& from, const std::string& to) {
  const int own = rooms().at(from), other = rooms().at(to);
  if (from == to) return true;
  if (own == 5 && from != "model") return other <= 2;
  return other < own;
}

std::vector<fs::path> sources_below(const fs::path& directory) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / directory)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".h" || extension == ".cpp") found.push_back(entry.path());
  }
  return found;
}

std::vector<std::string> includes_of(const fs::path& file) {
  static const std::regex pattern(R"re(#include "([^"]+)")re");
  const std::string text = read_file(file.string());
  std::vector<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) {
    found.push_back((*it)[1]);
  }
  return found;
}

// "nn" for include/cria/nn/linear.h and src/nn/linear.cpp.
std::string room_of(const fs::path& file) {
  const fs::path relative = fs::relative(file, kRoot);
  auto part = relative.begin();
  std::advance(part, *part == "include" ? 2 : 1);
  return part->string();
}

// What is wrong with a file that includes this: "" when nothing is. A header is named by its room,
// as "cria/nn/linear.h" where it is public and as "nn/layer_norm.h" where it stands in src/.
std::string fault(const fs::path& file, const std::string& include) {
  const bool is_public = include.starts_with("cria/");
  const std::string path = is_public ? include.substr(5) : include;
  const std::string from = room_of(file), to = path.substr(0, path.find('/'));
  if (!rooms().contains(to)) return "no room";
  if (!fs::exists(kRoot / (is_public ? "include" : "src") / include)) return "no such header";
  if (!may_include(from, to)) return "not below";
  if (!is_public && fs::relative(file, kRoot).begin()->string() == "include") return "private";
  if (path.starts_with("kernels/generic/") && from != "kernels") return "inside of kernels";
  return "";
}

TEST(Floors, IncludeDownwardOnly) {
  size_t checked = 0;
  for (const char* top : {"include", "src"}) {
    for (const fs::path& file : sources_below(top)) {
      ASSERT_TRUE(rooms().contains(room_of(file))) << file << ": a room without a floor";
      for (const std::string& include : includes_of(file)) {
        EXPECT_EQ(fault(file, include), "") << file << " includes " << include;
        ++checked;
      }
    }
  }
  EXPECT_GT(checked, 100u);
}

TEST(Floors, FaultsAreFound) {
  EXPECT_EQ(fault(kRoot / "src/nn/block.cpp", "cria/nn/block.h"), "");
  EXPECT_EQ(fault(kRoot / "src/nn/linear.cpp", "kernels/products.h"), "");
  EXPECT_EQ(fault(kRoot / "include/cria/nn/linear.h", "kernels/products.h"), "private");
  EXPECT_EQ(fault(kRoot / "src/nn/block.cpp", "cria/model/llama.h"), "not below");
  EXPECT_EQ(fault(kRoot / "src/nn/block.cpp", "nn/block.h"), "no such header");
  EXPECT_EQ(fault(kRoot / "src/nn/block.cpp", "block.h"), "no room");
  EXPECT_EQ(fault(kRoot / "src/nn/block.cpp", "kernels/generic/table.h"), "inside of kernels");
}

TEST(Floors, TheRuleRefusesWhatItShould) {
  EXPECT_TRUE(may_include("model", "nn"));
  EXPECT_TRUE(may_include("train", "io"));
  EXPECT_TRUE(may_include("exchange", "tokenizer_files"));
  EXPECT_TRUE(may_include("inspect", "exchange"));
  EXPECT_FALSE(may_include("nn", "model"));
  EXPECT_FALSE(may_include("io", "model"));
  EXPECT_FALSE(may_include("exchange", "train"));
  EXPECT_FALSE(may_include("inspect", "prepare"));
  EXPECT_FALSE(may_include("data", "text"));
  EXPECT_FALSE(may_include("data", "nn"));
  EXPECT_FALSE(may_include("tensor", "kernels"));
}

// Public headers, and those with a source of their own; others are parts of the units beside them.
TEST(Floors, ReadmeListsEveryUnit) {
  const std::string readme = read_file((kRoot / "src/README.md").string());
  for (const char* top : {"include", "src"}) {
    for (const fs::path& file : sources_below(top)) {
      const bool is_public = top == std::string("include");
      const bool has_source = fs::exists(fs::path(file).replace_extension(".cpp"));
      if (file.extension() != ".h" || !(is_public || has_source)) continue;
      const std::string unit = room_of(file) + "/" + file.stem().string();
      const std::string line = (is_public ? "| **`" : "| `") + unit + (is_public ? "`** |" : "` |");
      EXPECT_NE(readme.find(line), std::string::npos) << line << " is missing from src/README.md";
    }
  }
}

// A header of a unit stands in the list of units.
TEST(Floors, ReadmeListsEveryFileOfKernels) {
  const std::string readme = read_file((kRoot / "src/README.md").string());
  for (const fs::path& file : sources_below("src/kernels")) {
    const std::string name = fs::relative(file, kRoot / "src/kernels").generic_string();
    const std::string unit = "| `kernels/" + file.stem().string() + "` |";
    const bool is_unit = name == file.stem().string() + ".h" && readme.find(unit) != readme.npos;
    EXPECT_TRUE(is_unit || readme.find("| `" + name + "` |") != readme.npos)
        << name << " is missing from src/README.md";
  }
}

// A function of the standard library that one instruction set's file emits may be the copy that the
// linker keeps for all (see symbols_test.cpp). Most are inlined and do no harm, until one is not.
TEST(Floors, KernelBodiesIncludeNoStandardLibrary) {
  const std::set<std::string> harmless = {"cstdint", "immintrin.h"};
  const std::set<std::string> for_any_machine = {"dispatch", "isa", "peak"};  // as all the rest
  const std::regex pattern("#include <([^>]+)>");
  size_t checked = 0;
  for (const fs::path& file : sources_below("src/kernels")) {
    if (for_any_machine.contains(file.stem().string()) &&
        file.parent_path() == kRoot / "src/kernels")
      continue;
    const std::string text = read_file(file.string());
    for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) {
      EXPECT_TRUE(harmless.contains((*it)[1])) << file << " includes <" << (*it)[1] << '>';
      ++checked;
    }
  }
  EXPECT_GT(checked, 0u);
}

// The one place for threads; kernels go through it too.
TEST(Floors, OpenMpStandsInParallelOnly) {
  for (const char* top : {"include", "src", "tools"}) {
    for (const fs::path& file : sources_below(top)) {
      if (file.filename() == "parallel.cpp") continue;
      EXPECT_EQ(read_file(file.string()).find("#pragma omp"), std::string::npos) << file;
    }
  }
}

// A command parses, calls and prints; what it shares or works out is below tools/ or in src/.
TEST(Floors, CommandsAreShort) {
  size_t commands = 0;
  for (const auto& entry : fs::directory_iterator(kRoot / "tools")) {
    if (entry.path().extension() != ".cpp") continue;
    ++commands;
    EXPECT_LT(std::ranges::count(read_file(entry.path().string()), '\n'), 150) << entry.path();
  }
  EXPECT_GT(commands, 5u);
}

// A file's text without the comments, which may speak of anything.
std::string code_of(const fs::path& file) {
  static const std::regex comment("//[^\n]*");
  return std::regex_replace(read_file(file.string()), comment, "");
}

bool prints(const std::string& code) {
  static const std::regex pattern(
      R"(\b(v?f?printf|f?puts|f?putc|putchar|fwrite|perror)\(|\b(stdout|stderr)\b)"
      R"(|\bc(out|err|log)\b|<iostream>)");
  return std::regex_search(code, pattern);
}

bool exits(const std::string& code) {
  static const std::regex pattern(R"(\b((quick_)?_?exit|abort|terminate)\()");
  return std::regex_search(code, pattern);
}

bool catches(const std::string& code) {
  static const std::regex pattern(R"(\bcatch\b)");
  return std::regex_search(code, pattern);
}

TEST(Floors, OnlyToolsPrintExitAndCatch) {
  // What the other files do through these two: an Error gets the name of its file, and what a
  // thread throws gets to the one that waits for it. Both throw it again.
  const std::set<fs::path> may_catch = {kRoot / "include/cria/base/error.h",
                                        kRoot / "src/base/first_error.h"};
  std::set<fs::path> caught;
  for (const char* top : {"include", "src"}) {
    for (const fs::path& file : sources_below(top)) {
      const std::string code = code_of(file);
      EXPECT_FALSE(prints(code)) << file;
      EXPECT_FALSE(exits(code)) << file;
      if (catches(code)) caught.insert(file);
    }
  }
  EXPECT_EQ(caught, may_catch);
}

TEST(Floors, PrintingExitingAndCatchingAreFound) {
  for (const char* code :
       {"std::printf(\"x\");", "fprintf(out, x)", "std::vprintf(x, y)", "std::fputs(x, out_);",
        "puts(x)", "std::fputc('x', out)", "putchar('x')", "fwrite(x, 1, 1, file)", "perror(x)",
        "write_to(stdout)", "log(stderr)", "std::cout << x", "cerr << x", "std::clog << x",
        "#include <iostream>"}) {
    EXPECT_TRUE(prints(code)) << code;
  }
  EXPECT_FALSE(prints("std::snprintf(text, size, pattern); inputs(x); output << x; \"it puts\""));
  for (const char* code :
       {"std::exit(1)", "quick_exit(1)", "_exit(1)", "std::abort()", "std::terminate()"}) {
    EXPECT_TRUE(exits(code)) << code;
  }
  EXPECT_FALSE(exits("on_exit_code; exits(x)"));
  EXPECT_TRUE(catches("try { x(); } catch (...) {}"));
  EXPECT_FALSE(catches("catching(x)"));
}

}  // namespace
}  // namespace cria
