// Choosing an instruction set, and what the program does with CRIA_ISA.
#include "kernels/isa.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "cria/base/json.h"
#include "support/cli.h"
#include "support/isas.h"
#include "support/tiny_run.h"

namespace cria {
namespace {

// Best first; on Intel's processors avx512bf16 comes after avx512. Last the one of the tests' own.
const std::vector<std::vector<std::string>> kOrders = {
    {"amx", "avx512bf16", "avx512", "avx2", "portable", "emulated_tiles"},
    {"amx", "avx512", "avx512bf16", "avx2", "portable", "emulated_tiles"}};

bool is_subsequence(const std::vector<std::string>& part, const std::vector<std::string>& whole) {
  size_t found = 0;
  for (const std::string& name : whole) found += found < part.size() && part[found] == name;
  return found == part.size();
}

TEST(Isa, AvailableAreBestFirst) {
  const std::vector<std::string> available = available_isas();
  ASSERT_GE(available.size(), 2u);
  EXPECT_EQ(available[available.size() - 2], "portable");
  EXPECT_TRUE(is_subsequence(available, kOrders[0]) || is_subsequence(available, kOrders[1]));
}

// Each step up the ladder stands on the one below.
TEST(Isa, WhoRunsOneRunsAllBelow) {
  const std::vector<std::string> available = available_isas();
  const auto runs = [&](const char* isa) { return std::ranges::count(available, isa) == 1; };
  EXPECT_TRUE(!runs("amx") || runs("avx512bf16"));
  EXPECT_TRUE(!runs("avx512bf16") || runs("avx512"));
  EXPECT_TRUE(!runs("avx512") || runs("avx2"));
  EXPECT_TRUE(runs("portable"));
}

TEST(Isa, UseChangesTheTable) {
  for (const std::string& isa : available_isas()) {
    const IsaInUse scope(isa);
    EXPECT_EQ(kernels().isa, isa);
  }
}

std::string list(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

TEST(Isa, UnknownNameIsAnErrorWithTheList) {
  const std::string before = kernels().isa;
  for (const char* name : {"nonsense", "", "AVX2", "avx2 "}) {
    const std::string message = error_of([&] { use_isa(name); });
    EXPECT_TRUE(contains(message, "use_isa")) << message;
    EXPECT_TRUE(contains(message, "one of " + list(available_isas()))) << message;
  }
  EXPECT_EQ(kernels().isa, before);
}

class CliIsaTest : public CliTest {
 public:
  ProcessResult bench(const std::string& isa) const {
    return Process(
               "/usr/bin/env",
               {"CRIA_ISA=" + isa, cria_binary(), "bench", "tiny.toml", "--steps", "1", "--json"},
               path("."))
        .wait();
  }
};

TEST_F(CliIsaTest, EnvironmentNamesTheKernels) {
  std::vector<std::string> isas = program_isas();
  const std::string best = isas.front();
  isas.push_back("");  // as if not set
  for (const std::string& isa : isas) {
    const ProcessResult result = bench(isa);
    ASSERT_EQ(result.exit_code, 0) << isa << '\n' << result.err;
    const Json json = Json::parse(result.out, "standard output");
    EXPECT_EQ(json.find("machine")->find("isa")->as_string("isa"), isa.empty() ? best : isa);
  }
}

TEST_F(CliIsaTest, UnknownNameIsExplained) {
  const ProcessResult result = bench("nonsense");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_TRUE(result.err.starts_with("cria: error: CRIA_ISA: ")) << result.err;
  EXPECT_TRUE(contains(result.err, "expected: one of " + list(program_isas()))) << result.err;
  EXPECT_TRUE(contains(result.err, "got: nonsense")) << result.err;
}

}  // namespace
}  // namespace cria
