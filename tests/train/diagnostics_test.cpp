// What a run measures of itself, against its own weights, and that it stays the same run.
#include "train/diagnostics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "cria/exchange/load_model.h"
#include "support/tiny_run.h"
#include "train/part_norms.h"

namespace cria {
namespace {

RunConfig with_diagnostics(RunConfig config, int64_t every = 4) {
  config.log.diagnostics = every;
  return config;
}

bool is_diagnostic(const Json& line) {
  return line.find("diag_seconds") != nullptr;
}

using Lines = std::map<int64_t, Json>;

// Of diagnostics, without the time they took.
Lines diagnostic_lines(const RunConfig& config) {
  Lines lines;
  for (const Json& line : read_metrics(config)) {
    if (!is_diagnostic(line)) continue;
    Json kept;
    for (const auto& [key, value] : line.as_object("line")) {
      if (key != "diag_seconds") kept.set(key, value);
    }
    EXPECT_TRUE(lines.emplace(line.find("step")->as_int("step"), kept).second) << "once";
  }
  return lines;
}

double number(const Json& line, const std::string& key) {
  const Json* const value = line.find(key);
  EXPECT_TRUE(value) << key;
  return value ? value->as_double(key) : NAN;
}

// The files that hold all that a run has learned.
std::string learned(const RunConfig& config) {
  const std::string checkpoint = checkpoint_path(config.train.output_dir, config.train.steps);
  return read_file(join_path(checkpoint, "model.safetensors")) +
         read_file(join_path(checkpoint, "optimizer.safetensors"));
}

RunConfig variant(const TinyRun& run, const std::string& name, int kind) {
  RunConfig config = run.config(name);
  config.model.tie_word_embeddings = kind == 1;
  if (kind == 2) {
    config.model.embedding.max_norm = 0.05;  // every row is shrunk
    config.model.embedding.padding_idx = 2;
    config.model.embedding_dropout = 0.1;
  }
  if (kind == 3) {
    config.model.embedding.sparse = true;
    config.data.mask_documents = true;
    config.data.eos_token_id = 5;
  }
  if (kind == 4) {
    config.model.position = "transformer_xl";
    config.model.memory_length = 9;
    config.model.tie_word_embeddings = true;
  }
  return config;
}

TEST(TrainingDiagnostics, ChangeNoBitOfTheRun) {
  for (const int kind : {0, 1, 2, 3, 4}) {
    SCOPED_TRACE(kind);
    const TinyRun run;
    const RunConfig plain = variant(run, "plain", kind);
    const RunConfig watched = with_diagnostics(variant(run, "watched", kind), 1);
    Recorder want, got;
    run_training(plain, want);
    run_training(watched, got);
    EXPECT_TRUE(learned(plain) == learned(watched));
    ASSERT_EQ(got.steps.size(), want.steps.size());
    for (size_t i = 0; i < got.steps.size(); ++i) EXPECT_EQ(got.steps[i].loss, want.steps[i].loss);
    EXPECT_EQ(got.evaluations.back().loss, want.evaluations.back().loss);
    EXPECT_TRUE(diagnostic_lines(plain).empty());
    EXPECT_EQ(diagnostic_lines(watched).size(), 9u);
  }
}

TEST(TrainingDiagnostics, TheSameWithAnyNumberOfThreadsAndResumed) {
  // 3: tied, and untied before the third of the diagnosed steps.
  for (const int kind : {0, 1, 3}) {
    const TinyRun run;
    const auto config = [&](const std::string& name) {
      RunConfig c = with_diagnostics(variant(run, name, kind == 3 ? 1 : kind), 2);
      if (kind == 3) c.train.untie_at_step = 4;
      c.train.checkpoint_every = 4;
      return c;
    };
    Recorder recorder;
    run_training(config("whole"), recorder);
    const Lines want = diagnostic_lines(config("whole"));
    for (const auto& [step, line] : want) {
      const bool two_tables = kind == 0 || (kind == 3 && step >= 4);
      EXPECT_EQ(line.find("diag_alignment/linear_cka") != nullptr, two_tables) << step;
    }
    for (const int threads : {2, 3}) {
      const ThreadCount scope(threads);
      const std::string name = "threads" + std::to_string(threads);
      run_training(config(name), recorder);
      EXPECT_EQ(diagnostic_lines(config(name)), want) << name;
    }
    Recorder first;
    first.stop_after = 5;
    run_training(config("cut"), first);
    run_training(config("cut"), recorder, /*resume=*/true);
    EXPECT_EQ(diagnostic_lines(config("cut")), want);
  }
}

TEST(TrainingDiagnostics, WhenTheyAreDue) {
  const auto due = [](int64_t every, int64_t steps) {
    std::vector<int64_t> all;
    for (int64_t step = 1; step <= steps; ++step) {
      if (is_diagnosed(step, {.diagnostics = every}, steps)) all.push_back(step);
    }
    return all;
  };
  using Steps = std::vector<int64_t>;
  EXPECT_EQ(due(0, 100), Steps());
  EXPECT_EQ(due(30, 100), (Steps{1, 30, 60, 90, 100}));
  EXPECT_EQ(due(LogConfig::kLogarithmic, 1234),
            (Steps{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 1234}));
}

// Step 1's are of the initial weights, and of what the first update makes of them.
TEST(TrainingDiagnostics, OfTheFirstStep) {
  const TinyRun run;
  const RunConfig config = with_diagnostics(run.config("run"));
  Recorder recorder;
  Trainer trainer(config, /*resume=*/false, recorder);
  const Parameters& p = trainer.model().parameters();
  const std::vector<float> before(p.value(), p.value() + p.plane_size());
  recorder.stop_after = 1;
  trainer.run(recorder.stop);
  const Json line = diagnostic_lines(config).at(1);
  EXPECT_EQ(number(line, "diag_loss/over_ln_v"),
            recorder.steps[0].loss - std::log(static_cast<double>(kTinyVocabulary)));
  double gradient_squares = 0;
  std::map<std::string, std::pair<double, double>> squares;  // of weights, of updates
  for (const Parameter& slot : p.slots()) {
    for (int64_t i = slot.offset; i < slot.offset + slot.value.size(); ++i) {
      const double weight = static_cast<double>(before[i]);
      squares[part_name(slot)].first += weight * weight;
      squares[part_name(slot)].second += std::pow(static_cast<double>(p.value()[i]) - weight, 2);
    }
  }
  for (const auto& [part, sums] : squares) {
    const double weight = std::sqrt(sums.first), update = std::sqrt(sums.second);
    EXPECT_NEAR(number(line, "diag_weight_norm/" + part), weight, 1e-5 * weight) << part;
    EXPECT_NEAR(number(line, "diag_update_norm/" + part), update, 1e-5 * update) << part;
    EXPECT_NEAR(number(line, "diag_update_ratio/" + part), update / weight, 1e-4 * update / weight);
    gradient_squares += std::pow(number(line, "diag_gradient_norm/" + part), 2);
  }
  EXPECT_NEAR(std::sqrt(gradient_squares), recorder.steps[0].grad_norm,
              1e-6 * recorder.steps[0].grad_norm)
      << "before clipping";
  EXPECT_NEAR(number(line, "diag_table_gradient/lookup_l2"),
              number(line, "diag_gradient_norm/embed_tokens"), 1e-6);
  EXPECT_NEAR(number(line, "diag_table_gradient/head_l2"),
              number(line, "diag_gradient_norm/lm_head"), 1e-6);
  EXPECT_NEAR(number(line, "diag_embedding/isotropy_centred"), 1, 0.02) << "of normal numbers";
}

// A row that no step has looked up has moments of exactly 0.
TEST(TrainingDiagnostics, RowsNeverUpdated) {
  for (const bool tied : {false, true}) {
    const TinyRun run;
    RunConfig config = with_diagnostics(run.config("run"), 1);
    config.model.vocab_size = 50;  // 13 that never occur
    config.model.tie_word_embeddings = tied;
    config.train.gradient_accumulation_steps = 1;
    Recorder recorder;
    Trainer trainer(config, /*resume=*/false, recorder);
    recorder.stop_after = 1;
    trainer.run(recorder.stop);
    const Parameter& table = *trainer.model().embed_tokens().weight;
    int64_t untouched = 0;
    for (int64_t row = 0; row < 50; ++row) {
      const auto moments = &table.v(row, 0);
      untouched += std::all_of(moments, moments + 16, [](float v) { return v == 0; });
    }
    EXPECT_EQ(untouched > 0, !tied);
    EXPECT_EQ(number(diagnostic_lines(config).at(1), "diag_embedding/rows_never_updated"),
              static_cast<double>(untouched));
  }
}

TEST(TrainingDiagnostics, InEvaluationTheLossByFrequency) {
  const TinyRun run;
  const RunConfig config = with_diagnostics(run.config("run"));
  Recorder recorder;
  run_training(config, recorder);
  int evaluations = 0;
  for (const Json& line : read_metrics(config)) {
    if (!line.find("val_loss")) continue;
    ++evaluations;
    double least = INFINITY, most = 0;
    for (int d = 1; d <= kDeciles; ++d) {
      const Json* const loss = line.find("diag_val_loss/decile_" + std::to_string(d));
      if (!loss) continue;  // no target is of these
      least = std::min(least, loss->as_double("loss"));
      most = std::max(most, loss->as_double("loss"));
    }
    EXPECT_LT(least, number(line, "val_loss"));
    EXPECT_GT(most, number(line, "val_loss"));
  }
  EXPECT_EQ(evaluations, 3);
}

TEST(TrainingDiagnostics, InCsvAndTensorBoard) {
  const TinyRun run;
  RunConfig config = with_diagnostics(run.config("run"), LogConfig::kLogarithmic);
  config.log.tensorboard = true;
  Recorder recorder;
  run_training(config, recorder);
  const Lines lines = diagnostic_lines(config);
  ASSERT_EQ(lines.size(), 4u) << "1, 2, 5, 9";
  const std::string csv = read_file(join_path(config.train.output_dir, "metrics.csv"));
  std::string events;
  for (const auto& entry : std::filesystem::directory_iterator(config.train.output_dir)) {
    const std::string path = entry.path().string();
    if (contains(path, "tfevents")) events = read_file(path);
  }
  for (const auto& [key, value] : lines.at(9).as_object("line")) {
    if (key == "step") continue;
    EXPECT_TRUE(contains(csv, "," + key)) << key;
    EXPECT_TRUE(contains(events, key)) << key;
  }
  EXPECT_TRUE(contains(events, "diag_val_loss/decile_1"));
}

TEST(TrainingDiagnostics, SpikesOfTheRun) {
  const TinyRun run;
  RunConfig config = with_diagnostics(run.config("run"), 1000);
  config.train.steps = config.schedule.decay_steps = 80;
  Recorder recorder;
  run_training(config, recorder);
  LossSpikes spikes;
  for (const StepMetrics& step : recorder.steps) spikes.add(step.loss);
  const Json line = diagnostic_lines(config).at(80);
  EXPECT_EQ(number(line, "diag_spikes/count"), static_cast<double>(spikes.count()));
  EXPECT_EQ(number(line, "diag_spikes/highest"), spikes.highest());
}

}  // namespace
}  // namespace cria
