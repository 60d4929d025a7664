// Everything a run is made of, as its TOML file says it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cria/kernels/kernels.h"
#include "cria/model/config.h"
#include "cria/optim/adamw.h"
#include "cria/optim/schedule.h"

namespace cria {

// [data.sources.NAME]
struct SourceConfig {
  std::string name;
  std::string train;    // as DataConfig::train
  double weight = 1.0;  // its share of the windows, in proportion to the others'
};

struct DataConfig {
  std::string train;                  // shards to train on: a file or a glob; or, instead,
  std::vector<SourceConfig> sources;  // several of them
  std::string val;                    // shards to evaluate on; "": none
  std::string tokenizer;  // tokenizer.json; "": the one beside the (first) training shards, if any
  std::string shard_format = "llmc";
  int64_t sequence_length = 256;  // T
  bool mask_documents = false;
  bool loss_mask = false;  // beside each shard is a mask: see Dataset, `masked`
  int64_t bos_token_id = -1, eos_token_id = -1;  // -1: what dataset.json beside the shards says

  // What is trained on, however the config says it: train alone as a source without a name.
  std::vector<SourceConfig> training_sources() const;
};

struct TrainConfig {
  int64_t steps = 1000;    // 0: nothing is trained, and the initial weights are written
  int64_t batch_size = 8;  // B, sequences per micro-batch
  int64_t gradient_accumulation_steps = 1;
  int64_t data_parallel = 1;          // R, parts of each micro-batch; a divisor of batch_size
  std::string reduce_dtype = "fp32";  // or "bf16": the gradients of parts, and their sums
  double peer_timeout = 600;          // seconds that one of several processes may be late
  std::string init_from;              // model or run whose weights to start from; "": new ones
  std::string precision = "fp32";     // a name of Precision, see precision_of
  std::string on_spike = "warn";      // or "return", see Trainer::run
  int64_t seed = 1;
  double max_grad_norm = 1.0;            // 0: no clipping
  double z_loss = 0;                     // see Llama::loss_and_gradient
  std::vector<std::string> freeze = {};  // patterns of parameters that are not trained
  std::string on_nonfinite = "stop";     // or "skip": a loss or gradient that is not finite
  int64_t untie_at_step = 0;             // see untied() in model/llama.h; 0: never
  int64_t eval_every = 250;              // steps; 0: only at the end
  int64_t eval_batches = 0;              // 0: the whole validation set
  int64_t patience = 0;            // ends after so many evaluations without a better one; 0: never
  int64_t checkpoint_every = 500;  // steps; 0: only at the end
  int64_t keep_checkpoints = 2;    // 0: all
  int64_t sample_every = 0;        // steps; 0: never
  std::string sample_prompt = {};  // "": default_prompt of inference/generate.h
  int64_t sample_tokens = 200;
  std::string output_dir;  // "": runs/NAME for a config NAME.toml
};

// Beside metrics.jsonl and metrics.csv, which are always written.
struct LogConfig {
  bool tensorboard = false;
  int64_t norms_every = 100;  // steps; 0: never
  // Steps; 0: never; kLogarithmic: the first, second, fifth, tenth, ... The first and the last are
  // always among them.
  int64_t diagnostics = 0;
  static constexpr int64_t kLogarithmic = -1;
  bool report = false;  // see report/report: whoever runs the trainer writes it
};

struct RunConfig {
  // These are no keys: the file that it was read from, for errors, and its text; and the model
  // directory that train.init_from stands for, "" without.
  std::string source, text, init_from;
  ModelConfig model;
  DataConfig data;
  TrainConfig train;
  AdamWConfig optimizer;
  ScheduleConfig schedule;
  LogConfig log;
};

// Reads a config file and applies overrides ("table.key=value", value in TOML). Errors name
// file:line:column (or the override), the key, what was expected, and the nearest key there is.
// The model is not resolved yet: that takes the tokenizer.
// With train.init_from, what is not given of [model] is that model's; Error for a key that its
// weights decide and that is given otherwise.
// resume: where the run that it describes has a checkpoint, the run's own config is the base. Over
// it goes what the file says now and did not say when it was last started, then the overrides. The
// model of train.init_from is needed no more. A schedule that ended with the run keeps its shape
// when train.steps becomes another, but wsd, whose cooldown moves to the new end.
RunConfig read_run_config(const std::string& path, std::span<const std::string> overrides,
                          bool resume = false);

// "fp32" or "bf16" as the model takes it, and train.precision.
Precision precision_named(const std::string& name);
Precision precision_of(const TrainConfig& train);

// The config as TOML, every key with its value; reads back as the same config.
std::string to_toml(const RunConfig& config);

// All keys with their defaults and meanings, as a commented config file; for --help.
std::string describe_keys();

}  // namespace cria
