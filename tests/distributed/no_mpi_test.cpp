// A program that is built without MPI, and started as one of several.
#include <gtest/gtest.h>

#include "support/cli.h"

namespace cria {
namespace {

using NoMpi = CliTest;

TEST_F(NoMpi, OneOfSeveralIsToldToBuildWithIt) {
  if (std::getenv("CRIA_MPIRUN")) GTEST_SKIP() << "this program is built with MPI";
  for (const char* const size : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    const auto train = [&](const std::string& processes) {
      return Process(cria_binary(), {"train", "tiny.toml", "--resume"}, path(""), Process::kNoLimit,
                     {size + std::string("=") + processes})
          .wait();
    };
    const ProcessResult several = train("2");
    EXPECT_EQ(several.exit_code, 1);
    EXPECT_TRUE(contains(several.err, "built without MPI")) << several.err;
    EXPECT_TRUE(contains(several.err, "make MPI=1")) << several.err;
    EXPECT_EQ(train("1").exit_code, 0);
  }
}

}  // namespace
}  // namespace cria
