#include "cria/train/trainer.h"

#include <chrono>
#include <cmath>
#include <filesystem>

#include "cria/base/error.h"
#include "cria/io/matrix_file.h"
#include "cria/optim/schedule.h"
#include "cria/text/tokenizer_files.h"
#include "cria/train/generate.h"
#include "cria/train/machine.h"
#include "cria/train/prepare.h"

namespace cria {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

bool is_due(int64_t step, int64_t every) {
  return every > 0 && step % every == 0;
}

// vocab_size from the tokenizer when the config leaves it open; the two must fit.
void settle_vocabulary(RunConfig& config, const Tokenizer* tokenizer) {
  if (!tokenizer) return;
  ModelConfig& model = config.model;
  if (model.vocab_size == 0) model.vocab_size = tokenizer->vocab_size();
  if (model.vocab_size < tokenizer->vocab_size()) {
    throw Error("smaller than the tokenizer's vocabulary",
                {.where = config.source + ": model.vocab_size",
                 .expected = "at least " + std::to_string(tokenizer->vocab_size()) + " (" +
                             config.data.tokenizer + ")",
                 .got = std::to_string(model.vocab_size),
                 .hint = "leave it out to take the tokenizer's"});
  }
}

// Starts the token table from the file that the config names, if any.
void load_pretrained_embedding(const RunConfig& config, const Embedding& table) {
  const std::string& file = config.model.embedding_pretrained;
  if (file.empty()) return;
  Matrix matrix = read_matrix(file);
  const Tensor rows(matrix.values.data(), {matrix.rows, matrix.columns});
  if (rows.shape != table.weight->value.shape) {
    throw Error("a table of another shape",
                {.where = config.source + ": model.embedding.pretrained",
                 .expected = "[vocab_size, hidden_size] = " + table.weight->value.to_string(),
                 .got = rows.to_string() + " in " + file,
                 .hint = "choose model.vocab_size (the tokenizer's, unless given) and "
                         "model.hidden_size as the file has them"});
  }
  table.load_pretrained(rows);
}

// What a position in the data means; a checkpoint can only go on over the same.
Json describe_data(const RunConfig& config, const Dataset& dataset) {
  Json json;
  json.set("tokens", dataset.tokens());
  json.set("sequence_length", config.data.sequence_length);
  json.set("seed", config.train.seed);
  return json;
}

}  // namespace

Trainer::Trainer(RunConfig config, bool resume, TrainingObserver& observer)
    : config_(std::move(config)), observer_(&observer) {
  const DataConfig& data = config_.data;
  // First: without the shards there is no tokenizer beside them and no vocabulary either.
  glob_files(data.train);
  if (!data.tokenizer.empty()) tokenizer_ = read_tokenizer(data.tokenizer);
  settle_vocabulary(config_, tokenizer_.get());
  config_.model = resolved(config_.model, data.sequence_length, config_.source + ": model.");
  token_lengths_ = token_lengths(tokenizer_.get());

  if (tokenizer_) require_tokenizer_of(data.train, *tokenizer_);
  const ShardFormat format = shard_format(data.shard_format);
  const int64_t vocabulary = config_.model.vocab_size;
  training_ = std::make_unique<Dataset>(data.train, format, vocabulary);
  if (!data.val.empty()) {
    validation_ = std::make_unique<Dataset>(data.val, format, vocabulary);
    validation_->evaluation_windows(data.sequence_length);  // an Error now, not after an hour
  }
  const int64_t batch = config_.train.batch_size, time = data.sequence_length;
  batches_ =
      std::make_unique<Batches>(*training_, batch, time, static_cast<uint64_t>(config_.train.seed));

  model_ = std::make_unique<Llama>(config_.model, precision_of(config_.train));
  model_->initialize(static_cast<uint64_t>(config_.train.seed));
  if (!resume) load_pretrained_embedding(config_, model_->embed_tokens());
  optimizer_ = std::make_unique<AdamWOptimizer>(model_->parameters(), config_.optimizer);
  // First, as its Error says what to make smaller.
  memory_ = std::make_unique<Activations>(*model_, Purpose::training, batch, time,
                                          config_.train.gradient_accumulation_steps);
  if (config_.model.memory_length > 0) {
    segments_.assign(config_.train.gradient_accumulation_steps,
                     SegmentMemory(config_.model, batch));
    batches_->read_in_lanes(batch * config_.train.gradient_accumulation_steps);
  }
  inputs_.resize(batch * time);
  targets_.resize(batch * time);
  flops_per_token_ = training_flops_per_token(config_.model, time);
  state_.data = describe_data(config_, *training_);
  open_run_directory(resume);
  peak_flops_ = peak_flops(precision_of(config_.train));
}

void Trainer::open_run_directory(bool resume) {
  const std::string& run = config_.train.output_dir;
  const std::string metrics = join_path(run, "metrics.jsonl"), lock = join_path(run, "lock");
  const auto take_lock = [&] {
    lock_ = std::make_unique<FileLock>(
        lock, "another cria is training here: wait for it, or give another train.output_dir=...");
  };
  // Before all advice to resume or to remove what may be in use.
  if (exists(lock)) take_lock();
  const std::vector<std::string> checkpoints = list_checkpoints(run);
  const bool begun = exists(metrics);
  if (resume) {
    if (checkpoints.empty()) {
      throw Error(
          "nothing to resume",
          {.where = run,
           .expected = "a checkpoint below checkpoints/",
           .got = begun ? "a run that ended before its first checkpoint" : "no run",
           .hint = begun ? "remove it and start without --resume" : "start without --resume"});
    }
    const std::string& latest = checkpoints.back();
    const Json data = state_.data;
    state_ = load_checkpoint(latest, *model_, segments_);
    if (!(state_.data == data)) {
      throw Error("the checkpoint was trained on other data",
                  {.where = latest,
                   .expected = state_.data.dump(),
                   .got = data.dump(),
                   .hint = "resume with the data, sequence length and seed of the run"});
    }
    optimizer_->set_steps(state_.step);
    batches_->set_position(state_.windows);
  } else if (!checkpoints.empty() || begun) {
    const std::string other = "remove it, or give another train.output_dir=...";
    throw Error("this directory holds a run already",
                {.where = run,
                 .expected = "a directory without checkpoints and metrics.jsonl",
                 .got = checkpoints.empty() ? metrics : checkpoints.back(),
                 .hint = checkpoints.empty() ? other : "go on with --resume, or " + other});
  }
  make_directories(join_path(run, "checkpoints"));
  if (!lock_) take_lock();
  write_file(join_path(run, "config.toml"), to_toml(config_));
  log_ = std::make_unique<MetricsLog>(metrics, state_.step);
}

int64_t Trainer::tokens_per_step() const {
  return config_.train.gradient_accumulation_steps * config_.train.batch_size *
         config_.data.sequence_length;
}

void Trainer::require_finite(const char* what, double value) const {
  if (std::isfinite(value)) return;
  std::vector<std::string> checkpoints = list_checkpoints(config_.train.output_dir);
  std::string hint = "try a lower optimizer.learning_rate or a longer schedule.warmup_steps";
  // A checkpoint of this very moment holds the weights that have just failed.
  const std::string now = checkpoint_path(config_.train.output_dir, state_.step);
  if (std::erase(checkpoints, now) > 0) hint += "; " + now + " is bad: remove it";
  hint = (checkpoints.empty() ? "no good checkpoint yet"
                              : "last good checkpoint: " + checkpoints.back()) +
         "; " + hint;
  throw Error(std::string(what) + " is not finite",
              {.where = "step " + std::to_string(state_.step + 1),
               .expected = "a finite number",
               .got = std::isnan(value) ? "nan" : std::to_string(value),
               .hint = hint});
}

StepMetrics Trainer::step() {
  const Clock::time_point start = Clock::now();
  const int64_t batch = config_.train.batch_size, time = config_.data.sequence_length;
  const double tokens = static_cast<double>(tokens_per_step());
  double loss = 0;
  const int64_t micro_batches = config_.train.gradient_accumulation_steps;
  for (int64_t micro = 0; micro < micro_batches; ++micro) {
    batches_->next(inputs_.data(), targets_.data());
    loss += model_->loss_and_gradient(
        *memory_, TokenIds(inputs_.data(), {batch, time}), TokenIds(targets_.data(), {batch, time}),
        {.gradient_scale = static_cast<float>(1.0 / tokens),
         .same_weights = micro > 0,
         .randomness = {.seed = static_cast<uint64_t>(config_.train.seed),
                        .pass = static_cast<uint64_t>(state_.step * micro_batches + micro),
                        .active = true},
         .segments = segments_.empty() ? nullptr : &segments_[micro]});
  }
  loss /= tokens;
  require_finite("the loss", loss);
  const double norm = optimizer_->gradient_norm();
  require_finite("the gradient norm", norm);
  const double learning_rate =
      config_.optimizer.learning_rate * learning_rate_factor(config_.schedule, state_.step);
  optimizer_->step(learning_rate, clip_factor(norm, config_.train.max_grad_norm));

  const double elapsed = seconds_since(start);
  const double flops = tokens * flops_per_token_ / elapsed;
  ++state_.step;
  state_.tokens += tokens_per_step();
  state_.windows = batches_->position();
  state_.seconds += elapsed;
  return {.step = state_.step,
          .tokens = state_.tokens,
          .loss = loss,
          .learning_rate = learning_rate,
          .grad_norm = norm,
          .tokens_per_second = tokens / elapsed,
          .gflops = flops * 1e-9,
          .mfu = flops / peak_flops_,
          .seconds = state_.seconds};
}

Evaluation Trainer::evaluate() {
  return cria::evaluate(
      *model_, *memory_, *validation_,
      {.sequence_length = config_.data.sequence_length,
       .batch_size = config_.train.batch_size,
       .batches = config_.train.eval_batches,
       .token_lengths = token_lengths_,
       .progress = [&](int64_t done, int64_t windows) { observer_->evaluating(done, windows); }});
}

void Trainer::report_evaluation() {
  last_evaluation_ = evaluate();
  log_->write(to_json(last_evaluation_, state_.step));
  observer_->evaluated(state_.step, last_evaluation_);
}

std::string Trainer::sample() {
  Generator generator(*model_, *tokenizer_);
  std::string text = config_.train.sample_prompt;
  Sampling sampling;
  sampling.seed = static_cast<uint64_t>(config_.train.seed + state_.step);
  sampling.max_new_tokens = config_.train.sample_tokens;
  generator.run(text, sampling, [&](std::string_view piece) { text += piece; });
  return text;
}

void Trainer::save() {
  const std::string path = checkpoint_path(config_.train.output_dir, state_.step);
  if (!exists(path)) {
    save_checkpoint(path, *model_, tokenizer_.get(), state_, segments_);
    prune_checkpoints();
  }
  observer_->saved(path);
}

void Trainer::prune_checkpoints() {
  if (config_.train.keep_checkpoints == 0) return;
  const std::vector<std::string> all = list_checkpoints(config_.train.output_dir);
  const size_t keep = static_cast<size_t>(config_.train.keep_checkpoints);
  for (size_t i = 0; i + keep < all.size(); ++i) std::filesystem::remove_all(all[i]);
}

bool Trainer::run(const std::atomic<bool>& stop) {
  const TrainConfig& train = config_.train;
  while (state_.step < train.steps && !stop) {
    const StepMetrics metrics = step();
    log_->write(to_json(metrics));
    observer_->stepped(metrics);
    const bool last = state_.step == train.steps;
    if (has_validation() && (last || is_due(state_.step, train.eval_every))) report_evaluation();
    if (tokenizer_ && is_due(state_.step, train.sample_every)) {
      const std::string text = sample();
      append_to_file(join_path(train.output_dir, "samples.txt"),
                     "--- step " + std::to_string(state_.step) + "\n" + text + "\n");
      observer_->sampled(state_.step, text);
    }
    if (last || is_due(state_.step, train.checkpoint_every)) save();
  }
  if (state_.step < train.steps) save();
  return state_.step >= train.steps;
}

}  // namespace cria
