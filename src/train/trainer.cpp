#include "cria/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/exchange/load_model.h"
#include "cria/inference/generate.h"
#include "cria/optim/schedule.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "data/prefetch.h"
#include "exchange/matrix_file.h"
#include "inference/document_marks.h"
#include "inference/shard_tokenizer.h"
#include "kernels/peak.h"
#include "train/diagnostics.h"
#include "train/init_from.h"
#include "train/run_directory.h"
#include "train/run_start.h"

namespace cria {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
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

// Every group of the optimizer has something to do.
void require_group_members(const RunConfig& config, const Parameters& parameters) {
  const std::string layers = "model.layers.";
  const std::vector<ParameterGroup>& groups = config.optimizer.groups;
  std::vector<std::string> names, patterns;  // patterns: the names, one for all layers
  for (const Parameter& slot : parameters.slots()) names.push_back(slot.name);
  if (config.train.untie_at_step > 0) names.push_back("lm_head.weight");
  for (std::string name : names) {
    if (name.starts_with(layers)) {
      name.replace(layers.size(), name.find('.', layers.size()) - layers.size(), "*");
    }
    if (std::ranges::find(patterns, name) == patterns.end()) patterns.push_back(name);
  }
  for (const ParameterGroup& group : groups) {
    const auto is_member = [&](const std::string& name) {
      return group_of(groups, name) == &group;
    };
    if (std::ranges::any_of(names, is_member)) continue;
    throw Error("matches no parameter that an earlier group leaves",
                {.where = config.source + ": optimizer.groups." + group.name + ".pattern",
                 .expected = one_of(patterns),
                 .got = "\"" + group.pattern + "\"",
                 .hint = did_you_mean(group.pattern, patterns)});
  }
}

std::vector<std::string> paths_of_shards(std::span<const std::unique_ptr<Dataset>> datasets) {
  std::vector<std::string> paths;
  for (const auto& dataset : datasets) {
    if (!dataset) continue;
    for (const Shard& shard : dataset->shards()) paths.push_back(shard.path());
  }
  return paths;
}

// All that a position in the data depends on: a checkpoint can only go on over the same data.
Json describe_data(const RunConfig& config, const std::vector<std::unique_ptr<Dataset>>& datasets) {
  const std::vector<SourceConfig> sources = config.data.training_sources();
  int64_t tokens = 0;
  Json::Array each;
  for (size_t i = 0; i < datasets.size(); ++i) {
    tokens += datasets[i]->tokens();
    Json source;
    source.set("tokens", datasets[i]->tokens());
    source.set("weight", sources[i].weight);
    each.push_back(source);
  }
  Json json;
  json.set("tokens", tokens);
  if (each.size() > 1) json.set("sources", each);
  json.set("sequence_length", config.data.sequence_length);
  json.set("seed", config.train.seed);
  return json;
}

}  // namespace

Trainer::Trainer(RunConfig config, bool resume, TrainingObserver& observer)
    : config_(std::move(config)), observer_(&observer) {
  const DataConfig& data = config_.data;
  directory_ = std::make_unique<RunDirectory>(config_.train.output_dir, resume);
  const bool resumed = !directory_->resumed().empty();
  // Without the shards there is no tokenizer beside them and no vocabulary either.
  for (const SourceConfig& source : data.training_sources()) glob_files(source.train);
  tokenizer_ = read_run_tokenizer(config_);
  config_.model = resolve_model(config_, tokenizer_.get());
  token_lengths_ = token_lengths(tokenizer_.get());

  const int64_t micro_batches = config_.train.gradient_accumulation_steps;
  Batches batches = open_data();

  // Before the weights are touched, as its Error says what to make smaller.
  set_model(std::make_unique<Llama>(config_.model, precision_of(config_.train)));
  require_group_members(config_, model_->parameters());
  model_->initialize(static_cast<uint64_t>(config_.train.seed));
  if (!config_.init_from.empty()) {
    if (!resumed) read_weights(config_.init_from, *model_);
    generation_ = read_generation(config_.init_from);
  }
  if (!resumed) load_pretrained_embedding(config_, model_->embed_tokens());
  if (config_.model.memory_length > 0) {
    segments_.assign(micro_batches, SegmentMemory(config_.model, config_.train.batch_size));
  }
  prefetch_ = std::make_unique<Prefetch>(batches, micro_batches, documents_);
  flops_per_token_ = training_flops_per_token(config_.model, data.sequence_length);
  state_.data = describe_data(config_, training_);
  open_run_directory();
  if (config_.log.diagnostics != 0) begin_diagnostics(batches);
  peak_flops_ = peak_flops(precision_of(config_.train));
  prefetch_->start(state_.windows);
}

Trainer::~Trainer() = default;

// With an optimizer, and memory for its passes, in place of what there was.
void Trainer::set_model(std::unique_ptr<Llama> model) {
  activations_.reset();
  model_ = std::move(model);
  optimizer_ = std::make_unique<AdamWOptimizer>(model_->parameters(), config_.optimizer);
  optimizer_->set_steps(state_.step);
  activations_ = std::make_unique<Activations>(*model_, Purpose::training, config_.train.batch_size,
                                               config_.data.sequence_length,
                                               config_.train.gradient_accumulation_steps);
  if (diagnostics_) diagnostics_->set_model(*model_);
  if (config_.log.tensorboard || config_.log.diagnostics != 0) {
    change_squares_.resize(model_->parameters().slots().size());
  }
}

// Training and validation shards, and how the training windows follow each other.
Batches Trainer::open_data() {
  const DataConfig& data = config_.data;
  const ShardFormat format = shard_format(data.shard_format);
  const auto open = [&](const std::string& glob) {
    if (tokenizer_) require_tokenizer_of(glob, *tokenizer_);
    return std::make_unique<Dataset>(glob, format, config_.model.vocab_size);
  };
  std::vector<std::string> globs;
  std::vector<WeightedDataset> sources;
  for (const SourceConfig& source : data.training_sources()) {
    training_.push_back(open(source.train));
    sources.push_back({training_.back().get(), source.weight});
    globs.push_back(source.train);
  }
  if (!data.val.empty()) {
    validation_ = open(data.val);
    validation_->evaluation_windows(data.sequence_length);  // an Error now, not after an hour
    globs.push_back(data.val);
  }
  if (data.mask_documents) {
    documents_ = document_marks(config_.model, globs,
                                {.bos = static_cast<int32_t>(data.bos_token_id),
                                 .eos = static_cast<int32_t>(data.eos_token_id)});
  }
  Batches batches(sources, config_.train.batch_size, data.sequence_length,
                  static_cast<uint64_t>(config_.train.seed));
  if (config_.model.memory_length > 0) {
    batches.read_in_lanes(config_.train.batch_size * config_.train.gradient_accumulation_steps);
  }
  return batches;
}

// Opens the run's directory, and a resumed run's checkpoint.
void Trainer::open_run_directory() {
  if (!directory_->resumed().empty()) {
    const Json data = state_.data;
    const int64_t untie_at = config_.train.untie_at_step;
    if (untie_at > 0 && steps_of(directory_->resumed()) >= untie_at) set_model(untied(*model_));
    state_ = load_checkpoint(directory_->resumed(), *model_, segments_);
    if (!(state_.data == data)) {
      throw Error("the checkpoint was trained on other data",
                  {.where = directory_->resumed(),
                   .expected = state_.data.dump(),
                   .got = data.dump(),
                   .hint = "resume with the data, sequence length and seed of the run"});
    }
    optimizer_->set_steps(state_.step);
  }
  directory_->open(config_, state_.step);
  for (const std::string& line : directory_->warnings()) observer_->warned(line);
}

// With what the steps before, if any, have read and lost.
void Trainer::begin_diagnostics(Batches batches) {
  diagnostics_ = std::make_unique<TrainingDiagnostics>(config_, *model_, training_,
                                                       read_losses(config_.train.output_dir));
  std::vector<int32_t> inputs(batches.batch() * batches.length()), targets(inputs.size());
  while (batches.position() < state_.windows) {
    batches.next(inputs.data(), targets.data());
    diagnostics_->see(inputs);
  }
}

int64_t Trainer::tokens_per_step() const {
  return config_.train.gradient_accumulation_steps * config_.train.batch_size *
         config_.data.sequence_length;
}

void Trainer::require_finite(const char* what, double value) const {
  if (std::isfinite(value)) return;
  directory_->log(Json::Object{{"step", state_.step + 1}, {"not_finite", 1}});
  std::vector<std::string> checkpoints = list_checkpoints(config_.train.output_dir);
  std::string hint = "try a lower optimizer.learning_rate or a longer schedule.warmup_steps";
  // A checkpoint of this very moment holds the weights that have just failed.
  const std::string now = directory_->checkpoint(state_.step);
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

void Trainer::require_targets(int64_t counted) const {
  if (counted > 0) return;
  throw Error("every token of the step begins a document, so there is no target to learn",
              {.where = "step " + std::to_string(state_.step + 1),
               .hint = "are data.bos_token_id and data.eos_token_id right? Otherwise take longer "
                       "sequences or larger batches"});
}

StepMetrics Trainer::step() {
  const Clock::time_point start = Clock::now();
  const std::clock_t cpu_start = std::clock();
  if (state_.step + 1 == config_.train.untie_at_step) set_model(untied(*model_));
  const int64_t batch = config_.train.batch_size, time = config_.data.sequence_length;
  const int64_t micro_batches = config_.train.gradient_accumulation_steps;
  const StepData& data = prefetch_->next();
  require_targets(data.counted);
  // The loss is the mean over the whole step, so that a target weighs the same in any micro-batch.
  const double counted = static_cast<double>(data.counted);
  const bool diagnosed = diagnostics_ && diagnostics_->is_due(state_.step + 1);
  if (diagnostics_) diagnostics_->see({data.inputs, static_cast<size_t>(tokens_per_step())});
  double loss = 0;
  const auto of_micro_batch = [&](int64_t micro, const int32_t* ids) {
    return ids ? TokenIds(ids + micro * batch * time, {batch, time}) : TokenIds();
  };
  for (int64_t micro = 0; micro < micro_batches; ++micro) {
    loss += model_->loss_and_gradient(
        *activations_, of_micro_batch(micro, data.inputs), of_micro_batch(micro, data.targets),
        {.document_starts = of_micro_batch(micro, data.starts),
         .randomness = {.seed = static_cast<uint64_t>(config_.train.seed),
                        .pass = static_cast<uint64_t>(state_.step * micro_batches + micro),
                        .active = true},
         .segments = segments_.empty() ? nullptr : &segments_[micro],
         .gradient_scale = static_cast<float>(1.0 / counted),
         .z_loss = config_.train.z_loss});
    if (diagnosed) diagnostics_->after_backward(*activations_, of_micro_batch(micro, data.inputs));
  }
  loss /= counted;
  require_finite("the loss", loss);
  const double norm = optimizer_->gradient_norm();
  require_finite("the gradient norm", norm);
  const double learning_rate =
      config_.optimizer.learning_rate * learning_rate_factor(config_.schedule, state_.step);
  if (diagnosed) {
    const int64_t last = micro_batches - 1;
    diagnostics_->before_update(*activations_, of_micro_batch(last, data.inputs),
                                of_micro_batch(last, data.starts), loss);
  }
  const bool measured = diagnosed || directory_->wants_norms(state_.step + 1);
  optimizer_->step(learning_rate, clip_factor(norm, config_.train.max_grad_norm),
                   measured ? change_squares_ : std::span<double>());
  if (diagnosed) diagnostics_->after_update(change_squares_);
  if (diagnostics_) diagnostics_->add_loss(loss);

  double elapsed = seconds_since(start);
  double cpu = static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
  if (diagnosed) {
    elapsed -= diagnostics_->seconds();
    cpu -= diagnostics_->cpu_seconds();
  }
  const double tokens = static_cast<double>(tokens_per_step());
  const double flops = tokens * flops_per_token_ / elapsed;
  ++state_.step;
  state_.tokens += tokens_per_step();
  state_.windows += static_cast<uint64_t>(micro_batches * batch);
  state_.seconds += elapsed;
  return {.step = state_.step,
          .tokens = state_.tokens,
          .loss = loss,
          .learning_rate = learning_rate,
          .grad_norm = norm,
          .tokens_per_second = tokens / elapsed,
          .gflops = flops * 1e-9,
          .mfu = flops / peak_flops_,
          .seconds = state_.seconds,
          .data_wait = data.waited,
          .cpu_seconds = cpu,
          .step_seconds = elapsed};
}

Evaluation Trainer::evaluate(const EachLoss& each_loss) {
  return cria::evaluate(
      *model_, *activations_, *validation_,
      {.sequence_length = config_.data.sequence_length,
       .batch_size = config_.train.batch_size,
       .batches = config_.train.eval_batches,
       .token_lengths = token_lengths_,
       .documents = documents_,
       .progress = [&](int64_t done, int64_t windows) { observer_->evaluating(done, windows); },
       .each_loss = each_loss});
}

void Trainer::report_evaluation() {
  GroupMeans losses;
  EachLoss each_loss;
  if (diagnostics_) {
    each_loss = [&](const TokenIds& targets, const ConstTensor& each) {
      add_losses(losses, diagnostics_->deciles(), targets, each);
    };
  }
  last_evaluation_ = evaluate(each_loss);
  Json line = to_json(last_evaluation_, state_.step);
  for (const auto& [name, value] : loss_by_decile(losses)) line.set(name, value);
  directory_->log(line);
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

void Trainer::report_sample() {
  const std::string text = sample();
  directory_->sample(state_.step, text);
  observer_->sampled(state_.step, text);
}

void Trainer::save() {
  const std::string path = directory_->checkpoint(state_.step);
  if (!exists(path)) {
    directory_->sync();
    save_checkpoint(path, *model_, tokenizer_.get(), state_, segments_, generation_);
    directory_->prune_checkpoints();
  }
  observer_->saved(path);
}

bool Trainer::run(const std::atomic<bool>& stop) {
  const TrainConfig& train = config_.train;
  if (state_.step < train.steps) {
    directory_->started(run_start(state_.step, paths_of_shards(training_),
                                  paths_of_shards(std::span(&validation_, 1))));
  }
  while (state_.step < train.steps && !stop) {
    const StepMetrics metrics = step();
    directory_->log(to_json(metrics));
    if (diagnostics_ && diagnostics_->is_due(state_.step)) {
      directory_->log(diagnostics_->line(state_.step));
    }
    if (directory_->wants_norms(state_.step)) {
      const Parameters& parameters = model_->parameters();
      directory_->norms(state_.step,
                        part_norms(parameters, slot_squares(parameters, parameters.value()), {},
                                   change_squares_));
    }
    observer_->stepped(metrics);
    const bool last = state_.step == train.steps;
    if (has_validation() && (last || is_due(state_.step, train.eval_every))) report_evaluation();
    if (tokenizer_ && is_due(state_.step, train.sample_every)) report_sample();
    if (last || is_due(state_.step, train.checkpoint_every)) save();
  }
  if (state_.step < train.steps) save();
  directory_->project(*model_->embed_tokens().weight, tokenizer_.get());
  return state_.step >= train.steps;
}

}  // namespace cria
