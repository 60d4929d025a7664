// Whether two runs are the same, bit for bit.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cria/base/file.h"
#include "cria/exchange/load_model.h"
#include "support/tiny_run.h"

namespace cria {

inline std::string final_checkpoint(const RunConfig& config) {
  return checkpoint_path(config.train.output_dir, config.train.steps);
}

inline void expect_same_files(const RunConfig& a, const RunConfig& b) {
  for (const char* name : {"model.safetensors", "optimizer.safetensors", "config.json"}) {
    EXPECT_TRUE(read_file(join_path(final_checkpoint(a), name)) ==
                read_file(join_path(final_checkpoint(b), name)))
        << name;
  }
}

inline void expect_same_course(const Recorder& got, const Recorder& want) {
  ASSERT_EQ(got.steps.size(), want.steps.size());
  for (size_t i = 0; i < want.steps.size(); ++i) {
    EXPECT_EQ(got.steps[i].step, want.steps[i].step);
    EXPECT_EQ(got.steps[i].tokens, want.steps[i].tokens);
    EXPECT_EQ(got.steps[i].loss, want.steps[i].loss) << "step " << i + 1;
    EXPECT_EQ(got.steps[i].grad_norm, want.steps[i].grad_norm) << "step " << i + 1;
    EXPECT_EQ(got.steps[i].learning_rate, want.steps[i].learning_rate) << "step " << i + 1;
  }
  ASSERT_EQ(got.evaluations.size(), want.evaluations.size());
  for (size_t i = 0; i < want.evaluations.size(); ++i) {
    EXPECT_EQ(got.evaluations[i].loss, want.evaluations[i].loss) << "evaluation " << i;
    EXPECT_EQ(got.evaluations[i].tokens, want.evaluations[i].tokens) << "evaluation " << i;
  }
}

// A run that stops after that step and goes on is `want`, the course of `whole`, bit for bit.
inline void expect_same_when_cut(const RunConfig& cut, int64_t stop_after, const RunConfig& whole,
                                 const Recorder& want) {
  Recorder got;
  got.stop_after = stop_after;
  EXPECT_FALSE(run_training(cut, got));
  got.stop = false;
  EXPECT_TRUE(run_training(cut, got, true));
  expect_same_course(got, want);
  expect_same_files(cut, whole);
}

// Metrics lines without what a clock says.
inline std::vector<std::string> timeless(const std::vector<Json>& lines) {
  std::vector<std::string> texts;
  for (const Json& line : lines) {
    Json kept;
    for (const auto& [key, value] : line.as_object("line")) {
      const bool timed = key == "seconds" || key == "tokens_per_s" || key == "gflops" ||
                         key == "mfu" || key == "data_wait" || key == "cpu_seconds";
      if (!timed) kept.set(key, value);
    }
    texts.push_back(kept.dump());
  }
  return texts;
}

}  // namespace cria
