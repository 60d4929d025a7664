// A small training run: shards that can be learnt, and a config for them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cria/base/file.h"
#include "cria/base/json.h"
#include "cria/base/rng.h"
#include "cria/data/shard.h"
#include "cria/train/trainer.h"
#include "support/errors.h"
#include "support/files.h"
#include "support/threads.h"

namespace cria {

inline constexpr int64_t kTinyVocabulary = 37;

// A walk in which every token has three possible successors.
inline std::vector<int32_t> walk(int64_t count, std::string_view name,
                                 int64_t vocabulary = kTinyVocabulary) {
  Rng rng(1, name);
  std::vector<int32_t> tokens(count);
  int64_t token = 0;
  for (int32_t& t : tokens) {
    token = (token * 5 + 1 + static_cast<int64_t>(rng.below(3))) % vocabulary;
    t = static_cast<int32_t>(token);
  }
  return tokens;
}

inline void write_shard(const std::string& path, const std::vector<int32_t>& tokens,
                        int64_t vocabulary = kTinyVocabulary) {
  ShardWriter writer(path, vocabulary);
  writer.write(tokens);
  writer.finish();
}

class TinyRun {
 public:
  TinyRun() {
    write_shard(directory_ / "train_0.bin", walk(131, "train_0"));
    write_shard(directory_ / "train_1.bin", walk(90, "train_1"));
    write_shard(directory_ / "val_0.bin", walk(41, "val"));
  }

  const TemporaryDirectory& directory() const { return directory_; }

  // A run of that name in the directory: nine steps of 2 x 2 sequences of 12, an evaluation every
  // third, a checkpoint at the end only.
  RunConfig config(const std::string& name) const {
    RunConfig c;
    c.source = "test.toml";
    c.model.vocab_size = kTinyVocabulary;
    c.model.hidden_size = 16;
    c.model.intermediate_size = 24;
    c.model.num_hidden_layers = 2;
    c.model.num_attention_heads = 2;
    c.model.num_key_value_heads = 1;
    c.data.train = directory_ / "train_*.bin";
    c.data.val = directory_ / "val_*.bin";
    c.data.sequence_length = 12;
    c.train.steps = c.schedule.decay_steps = 9;
    c.train.batch_size = 2;
    c.train.gradient_accumulation_steps = 2;
    c.train.eval_every = 3;
    c.train.checkpoint_every = 0;
    c.train.keep_checkpoints = 0;
    c.train.output_dir = directory_ / name;
    c.optimizer.learning_rate = 1e-2;
    c.schedule.warmup_steps = 2;
    return c;
  }

 private:
  TemporaryDirectory directory_;
  ThreadCount one_{1};  // so small a model only waits for others
};

// Remembers what a run reports, and can stop it after a step.
class Recorder : public TrainingObserver {
 public:
  std::vector<StepMetrics> steps;
  std::vector<Evaluation> evaluations;
  std::vector<std::string> samples, checkpoints, fingerprints, warnings;
  std::optional<TrainingState::Best> ended;  // early
  std::atomic<bool> stop = false;
  int64_t stop_after = -1;

  void stepped(const StepMetrics& metrics) override {
    steps.push_back(metrics);
    if (metrics.step == stop_after) stop = true;
  }
  void evaluated(int64_t, const Evaluation& evaluation) override {
    evaluations.push_back(evaluation);
  }
  void sampled(int64_t, const std::string& text) override { samples.push_back(text); }
  void warned(const std::string& line) override { warnings.push_back(line); }
  void saved(const std::string& checkpoint, const std::string& fingerprint) override {
    checkpoints.push_back(checkpoint);
    fingerprints.push_back(fingerprint);
  }
  void ended_early(int64_t, const TrainingState::Best& best) override { ended = best; }
};

// Starts or resumes, and runs to the end or to the recorder's stop.
inline bool run_training(const RunConfig& config, Recorder& recorder, bool resume = false,
                         bool change = false) {
  Trainer trainer(config, resume, recorder, change);
  return trainer.run(recorder.stop);
}

// metrics.jsonl, line by line.
inline std::vector<Json> read_metrics(const RunConfig& config) {
  const std::string path = join_path(config.train.output_dir, "metrics.jsonl");
  const std::string text = read_file(path);
  std::vector<Json> lines;
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos;
       begin = end + 1) {
    lines.push_back(Json::parse(text.substr(begin, end - begin), path));
  }
  return lines;
}

}  // namespace cria
