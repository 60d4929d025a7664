// A run's page while it runs: how often, and what becomes of one that cannot be written.
#include "cli/run_page.h"

#include <gtest/gtest.h>

#include "report/report.h"
#include "support/cli.h"
#include "support/well_formed.h"

namespace cria {
namespace {

TEST(RunPage, TakesNoMoreThanAHundredth) {
  EXPECT_TRUE(is_within_share(0, 0, 0));
  EXPECT_TRUE(is_within_share(0.3, 0.2, 50));
  EXPECT_FALSE(is_within_share(0.3, 0.3, 50));
  EXPECT_FALSE(is_within_share(0.5, 0, 49));
}

using RunPageTest = CliTest;

// The page is there at the first evaluation, when there is no more than that step to tell of.
TEST_F(RunPageTest, IsWrittenAtAnEvaluationAndAtTheEnd) {
  std::FILE* const nowhere = std::fopen("/dev/null", "w");
  PagedProgress progress(nowhere, 4, path("run"));
  progress.evaluated(2, {});
  EXPECT_EQ(read("run/report.html"), make_report({path("run")}));
  PagedProgress off(nowhere, 4, "");
  off.write_page();
  std::filesystem::remove(path("run/report.html"));
  write("run/metrics.jsonl", "{\"step\":1,\"loss\":\"x\"}\n");
  progress.write_page();  // a warning
  EXPECT_FALSE(exists(path("run/report.html")));
  std::fclose(nowhere);
}

TEST_F(RunPageTest, ChangesNoBitOfTheRun) {
  const ProcessResult result = run({"train", "tiny.toml", "train.eval_every=2", "log.report=true"});
  EXPECT_FALSE(contains(result.err, "no page")) << result.err;
  for (const char* const file : {"model.safetensors", "optimizer.safetensors"}) {
    const std::string name = std::string("/checkpoints/step-00000004/") + file;
    EXPECT_TRUE(read("new" + name) == read("run" + name)) << file;
  }
  EXPECT_EQ(MarkupCheck::fault(read("new/report.html")), "");
  run({"report", "new", "-o", "page.html"});
  EXPECT_TRUE(read("page.html") == read("new/report.html"));
  EXPECT_FALSE(exists(path("run/report.html")));
}

}  // namespace
}  // namespace cria
