// What the linker sees of the kernels. A function from a header that an instruction set's file
// emits is a weak symbol, of which the linker keeps any one: the copy compiled for AVX-512, say,
// that ends the program on a machine without it. So these files may show their table and nothing
// else.
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "support/cli.h"

namespace cria {
namespace {

struct Symbol {
  char kind;  // as nm has it
  std::string name;
};

std::vector<Symbol> symbols_of(const std::string& object) {
  const ProcessResult nm = Process("/usr/bin/env", {"nm", object}, "/").wait();
  EXPECT_EQ(nm.exit_code, 0) << nm.err;
  std::vector<Symbol> symbols;
  std::istringstream lines(nm.out);
  for (std::string line; std::getline(lines, line);) {
    if (line.size() > 19) symbols.push_back({line[17], line.substr(19)});
  }
  return symbols;
}

// Whether a file of kernels may not have this symbol, since others can see it.
bool is_forbidden(const Symbol& symbol, const std::string& table) {
  if (symbol.kind == 'U' || symbol.name == table) return false;
  const bool weak = std::string("wvu").find(symbol.kind) != std::string::npos;
  return weak || std::isupper(static_cast<unsigned char>(symbol.kind));
}

TEST(KernelSymbols, TheTableIsAllThatTheLinkerSees) {
#if !defined(__ELF__)
  GTEST_SKIP() << "object files that are not ELF";
#elif defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer adds symbols of its own";
#endif
  if (cria_binary().empty()) GTEST_SKIP() << "CRIA_BINARY does not name the program to test";
  if (Process("/usr/bin/env", {"nm", "--version"}, "/").wait().exit_code != 0) {
    GTEST_SKIP() << "nm is not installed";
  }
  std::vector<std::string> isas = {"portable"};
#ifdef __x86_64__
  isas.insert(isas.end(), {"avx2", "avx512", "avx512bf16", "amx"});
#endif
  const auto objects = std::filesystem::path(cria_binary()).parent_path() / "obj/src/kernels";
  for (const std::string& isa : isas) {
    const std::string object = (objects / (isa + ".o")).string();
    const std::string table = "_ZN4cria" + std::to_string(isa.size()) + isa + "6kTableE";
    bool has_table = false;
    for (const Symbol& symbol : symbols_of(object)) {
      has_table = has_table || symbol.name == table;
      EXPECT_FALSE(is_forbidden(symbol, table))
          << object << ": " << symbol.kind << ' ' << symbol.name;
    }
    EXPECT_TRUE(has_table) << object;
  }
}

TEST(KernelSymbols, TheRuleRefusesWhatItShould) {
  for (const char kind : {'W', 'V', 'w', 'v', 'u', 'T', 'D', 'R', 'B'}) {
    EXPECT_TRUE(is_forbidden({kind, "_ZSt3maxIfERKT_S2_S2_"}, "table")) << kind;
  }
  for (const char kind : {'t', 'd', 'r', 'b', 'U'}) {
    EXPECT_FALSE(is_forbidden({kind, "_ZSt3maxIfERKT_S2_S2_"}, "table")) << kind;
  }
  EXPECT_FALSE(is_forbidden({'D', "table"}, "table"));
}

}  // namespace
}  // namespace cria
