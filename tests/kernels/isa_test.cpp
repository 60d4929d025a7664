// Choosing an instruction set, and what the program does with CRIA_ISA.
#include "cria/kernels/isa.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "cria/base/json.h"
#include "support/cli.h"
#include "support/isas.h"
#include "support/tiny_run.h"

namespace cria {
namespace {

const std::vector<std::string> kBestFirst = {"avx512bf16", "avx512", "avx2", "portable"};

TEST(Isa, AvailableAreBestFirstAndEndWithPortable) {
  const std::vector<std::string> available = available_isas();
  ASSERT_FALSE(available.empty());
  EXPECT_EQ(available.back(), "portable");
  size_t at = 0;
  for (const std::string& isa : available) {
    while (at < kBestFirst.size() && kBestFirst[at] != isa) ++at;
    EXPECT_LT(at++, kBestFirst.size()) << isa << " is unknown, or not in its place";
  }
}

// Each step up the ladder stands on the one below.
TEST(Isa, WhoRunsOneRunsAllBelow) {
  const std::vector<std::string> available = available_isas();
  EXPECT_EQ(available,
            std::vector<std::string>(kBestFirst.end() - static_cast<int64_t>(available.size()),
                                     kBestFirst.end()));
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
  std::vector<std::string> isas = available_isas();
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
  EXPECT_TRUE(contains(result.err, "expected: one of " + list(available_isas()))) << result.err;
  EXPECT_TRUE(contains(result.err, "got: nonsense")) << result.err;
}

}  // namespace
}  // namespace cria
