// metrics.jsonl and metrics.csv: the same numbers, whatever came before.
#include "cria/train/metrics.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <limits>

#include "cria/base/file.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

class MetricsLogTest : public testing::Test {
 protected:
  static Json line(int64_t step, double loss) {
    return Json(Json::Object{{"step", step}, {"loss", loss}});
  }
  static Json evaluation(int64_t step, double loss) {
    return Json(Json::Object{{"step", step}, {"val_loss", loss}});
  }
  std::string csv() const { return read_file(directory_ / "metrics.csv"); }

  TemporaryDirectory directory_;
  std::string lines_ = directory_ / "metrics.jsonl";
};

TEST_F(MetricsLogTest, AColumnForEveryKey) {
  MetricsLog log(directory_.path(), 0);
  EXPECT_FALSE(exists(directory_ / "metrics.csv"));
  log.write(line(1, 0.1));
  EXPECT_EQ(csv(), "step,loss\n1,0.1\n");
  log.write(line(2, 1e-7));
  EXPECT_EQ(csv(), "step,loss\n1,0.1\n2,1e-07\n");
  log.write(evaluation(2, 4.0));
  EXPECT_EQ(csv(), "step,loss,val_loss\n1,0.1,\n2,1e-07,\n2,,4.0\n");
  log.write(line(3, 2.5));
  EXPECT_EQ(csv(), "step,loss,val_loss\n1,0.1,\n2,1e-07,\n2,,4.0\n3,2.5,\n");
  EXPECT_EQ(
      read_file(lines_),
      "{\"step\":1,\"loss\":0.1}\n{\"step\":2,\"loss\":1e-07}\n{\"step\":2,\"val_loss\":4.0}\n"
      "{\"step\":3,\"loss\":2.5}\n");
}

// The same row now and when the file is made anew.
TEST_F(MetricsLogTest, WhatIsNotFiniteIsEmpty) {
  MetricsLog log(directory_.path(), 0);
  log.write(line(1, 0.5));
  log.write(line(2, std::numeric_limits<double>::quiet_NaN()));
  log.write(line(3, std::numeric_limits<double>::infinity()));
  const std::string want = "step,loss\n1,0.5\n2,\n3,\n";
  EXPECT_EQ(csv(), want);
  MetricsLog(directory_.path(), 3);
  EXPECT_EQ(csv(), want);
}

TEST_F(MetricsLogTest, AResumedRunDropsWhatCameAfterAndWhatWasCut) {
  {
    MetricsLog log(directory_.path(), 0);
    log.write(line(1, 0.5));
    log.write(evaluation(1, 3.0));
    log.write(line(2, 0.25));
  }
  append_to_file(lines_, "{\"step\":1,\"lo");
  append_to_file(directory_ / "metrics.csv", "1,");
  MetricsLog log(directory_.path(), 1);
  const std::string kept = "step,loss,val_loss\n1,0.5,\n1,,3.0\n";
  EXPECT_EQ(csv(), kept);
  EXPECT_EQ(read_file(lines_), "{\"step\":1,\"loss\":0.5}\n{\"step\":1,\"val_loss\":3.0}\n");
  log.write(line(2, 0.75));
  EXPECT_EQ(csv(), kept + "2,0.75,\n");
}

// The run is of an earlier version, which knew fewer keys, or no CSV at all.
TEST_F(MetricsLogTest, AnOlderRunGetsTheColumnsItLacks) {
  write_file(lines_, "{\"step\":1,\"loss\":2.0}\n");
  for (const bool with_csv : {true, false}) {
    if (with_csv) write_file(directory_ / "metrics.csv", "step\n1\n");
    MetricsLog log(directory_.path(), 1);
    EXPECT_EQ(csv(), "step,loss\n1,2.0\n");
    log.write(Json(Json::Object{{"step", 2}, {"loss", 1.0}, {"lr", 0.5}}));
    EXPECT_EQ(csv(), "step,loss,lr\n1,2.0,\n2,1.0,0.5\n");
    write_file(lines_, "{\"step\":1,\"loss\":2.0}\n");
    std::filesystem::remove(directory_ / "metrics.csv");
  }
}

// A small file makes no table of gigabytes.
TEST_F(MetricsLogTest, RefusesMoreKeysThanARunHas) {
  const auto error_of_keys = [&](int keys, int lines) {
    Json first = line(1, 0.5);
    for (int i = 0; i < keys; ++i) first.set("k" + std::to_string(i), i);
    std::string text = first.dump() + "\n";
    for (int i = 1; i < lines; ++i) text += "{\"step\":1}\n";
    write_file(lines_, text);
    return error_of([&] { MetricsLog(directory_.path(), 1); });
  };
  EXPECT_EQ(error_of_keys(500, 500), "");
  EXPECT_TRUE(error_of_keys(5000, 5000).starts_with(lines_ + ": too many keys for as many lines"));
  EXPECT_TRUE(error_of_keys(17'000, 1).starts_with(lines_ + ": too many keys\n"));
}

TEST(ReadLosses, OfARun) {
  const TemporaryDirectory run;
  EXPECT_TRUE(read_losses(run.path()).empty());
  write_file(run / "metrics.jsonl",
             "{\"step\":1,\"loss\":2.5}\n{\"step\":1,\"val_loss\":9}\n{\"step\":2,\"loss\":2}\n"
             "{\"step\":3,\"lo");
  EXPECT_EQ(read_losses(run.path()), (std::vector<double>{2.5, 2}));
}

}  // namespace
}  // namespace cria
