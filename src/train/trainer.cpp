#include "cria/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <utility>

#include "base/first_error.h"
#include "base/machine.h"
#include "base/thread_choice.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/base/parallel.h"
#include "cria/exchange/load_model.h"
#include "cria/inference/generate.h"
#include "cria/optim/schedule.h"
#include "data/prefetch.h"
#include "kernels/peak.h"
#include "model/frozen.h"
#include "train/diagnostics.h"
#include "train/init_from.h"
#include "train/parameter_patterns.h"
#include "train/resumption.h"
#include "train/run_directory.h"
#include "train/run_inputs.h"
#include "train/run_start.h"

namespace cria {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Steps that may be skipped in a row: more are no accident.
constexpr int64_t kMostSkipped = 100;

std::vector<std::string> files_of(std::span<const std::unique_ptr<Dataset>> datasets) {
  std::vector<std::string> paths;
  for (const auto& dataset : datasets) {
    if (!dataset) continue;
    for (std::string& path : dataset->files()) paths.push_back(std::move(path));
  }
  return paths;
}

}  // namespace

Trainer::Trainer(RunConfig config, bool resume, TrainingObserver& observer, bool change)
    : config_(std::move(config)), observer_(&observer), inputs_(std::make_unique<RunInputs>()) {
  directory_ = std::make_unique<RunDirectory>(config_.train.output_dir, resume);
  const bool resumed = !directory_->resumed().empty();
  *inputs_ = open_inputs(config_);
  const int64_t micro_batches = config_.train.gradient_accumulation_steps;
  const Batches batches = batches_of(*inputs_, config_);

  // Before the weights are touched, as its Error says what to make smaller.
  set_model(std::make_unique<Llama>(config_.model, precision_of(config_.train)));
  if (!resumed) set_initial_weights(config_, *model_);
  if (!config_.init_from.empty()) generation_ = read_generation(config_.init_from);
  if (config_.model.memory_length > 0) {
    segments_.assign(micro_batches, SegmentMemory(config_.model, config_.train.batch_size));
  }
  prefetch_ = std::make_unique<Prefetch>(batches, micro_batches, inputs_->documents);
  state_.data = inputs_->description;
  open_run_directory(change);
  if (config_.log.diagnostics != 0) begin_diagnostics(batches);
  peak_flops_ = peak_flops(precision_of(config_.train));
  prefetch_->start(state_.windows);
  threads_ = std::make_unique<ThreadChoice>(max_threads(), [before = processor_times()]() mutable {
    const ProcessorTimes earlier = std::exchange(before, processor_times());
    return free_processors(earlier, before);
  });
}

Trainer::~Trainer() {
  limit_threads(0);
}

bool Trainer::has_validation() const {
  return inputs_->validation != nullptr;
}

// With an optimizer, and memory for its passes, in place of what there was.
void Trainer::set_model(std::unique_ptr<Llama> model) {
  activations_.reset();
  model_ = std::move(model);
  require_pattern_members(config_, model_->parameters());
  freeze_parameters(config_, model_->parameters());
  optimizer_ = std::make_unique<AdamWOptimizer>(model_->parameters(), config_.optimizer);
  optimizer_->set_steps(state_.step);
  activations_ = std::make_unique<Activations>(*model_, Purpose::training, config_.train.batch_size,
                                               config_.data.sequence_length,
                                               config_.train.gradient_accumulation_steps);
  flops_per_token_ =
      training_flops_per_token(config_.model, model_->parameters(), config_.data.sequence_length);
  if (diagnostics_) diagnostics_->set_model(*model_);
  if (config_.log.tensorboard || config_.log.diagnostics != 0) {
    change_squares_.resize(model_->parameters().slots().size());
  }
}

// Opens the run's directory, and a resumed run's checkpoint.
void Trainer::open_run_directory(bool change) {
  std::vector<std::string> lines;
  const std::string& checkpoint = directory_->resumed();
  if (!checkpoint.empty()) {
    const Resumption resumption = {config_.train.output_dir, steps_of(checkpoint), change};
    const Json data = state_.data;
    const int64_t untie_at = config_.train.untie_at_step;
    if (untie_at > 0 && resumption.step >= untie_at) set_model(untied(*model_));
    state_ = load_checkpoint(checkpoint, *model_, segments_);
    lines = compare_settings(resumption, directory_->earlier_config(), config_);
    const std::vector<std::string> more = compare_data(resumption, state_.data, data);
    lines.insert(lines.end(), more.begin(), more.end());
    state_.data = data;
    optimizer_->set_steps(state_.step);
  }
  directory_->open(config_, state_.step);
  for (const std::vector<std::string>& all :
       {directory_->warnings(), lines, doubts_about(*inputs_, config_)}) {
    for (const std::string& line : all) observer_->warned(line);
  }
}

// With what the steps before, if any, have read and lost.
void Trainer::begin_diagnostics(Batches batches) {
  diagnostics_ = std::make_unique<TrainingDiagnostics>(config_, *model_, inputs_->training,
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

// Error for what is not, unless such steps are skipped.
bool Trainer::is_finite(double loss, double norm) {
  if (std::isfinite(loss) && std::isfinite(norm)) {
    skipped_ = 0;
    return true;
  }
  const std::string what = std::isfinite(loss) ? "the gradient norm" : "the loss";
  const double value = std::isfinite(loss) ? norm : loss;
  const std::string where = "step " + std::to_string(state_.step + 1);
  const bool may_skip = config_.train.on_nonfinite == "skip";
  if (may_skip && ++skipped_ <= kMostSkipped) {
    observer_->warned(where + " is skipped: " + what + " is not finite");
    return false;
  }
  directory_->log(Json::Object{{"step", state_.step + 1}, {"not_finite", 1}});
  std::vector<std::string> checkpoints = list_checkpoints(config_.train.output_dir);
  std::string hint = "try a lower optimizer.learning_rate or a longer schedule.warmup_steps";
  // A checkpoint of this very moment holds the weights that have just failed.
  const std::string now = directory_->checkpoint(state_.step);
  if (std::erase(checkpoints, now) > 0) hint += "; " + now + " is bad: remove it";
  hint = (checkpoints.empty() ? "no good checkpoint yet"
                              : "last good checkpoint: " + checkpoints.back()) +
         "; " + hint;
  throw Error(what + " is not finite" +
                  (may_skip ? ", nor were those of " + std::to_string(kMostSkipped) +
                                  " steps before, which were skipped"
                            : ""),
              {.where = where,
               .expected = "a finite number",
               .got = std::isnan(value) ? "nan" : std::to_string(value),
               .hint = hint});
}

// Weights and moments stay as they are, as those of a step without a target do. The step counts all
// the same, also for the optimizer.
void Trainer::skip_update() {
  model_->parameters().zero_gradients();
  for (SegmentMemory& memory : segments_) memory.clear();
  optimizer_->set_steps(state_.step + 1);
}

void Trainer::require_targets(int64_t counted) const {
  const auto is_masked = [](const auto& dataset) { return dataset->is_masked(); };
  if (counted > 0 || std::ranges::any_of(inputs_->training, is_masked)) return;
  throw Error("every token of the step begins a document, so there is no target to learn",
              {.where = "step " + std::to_string(state_.step + 1),
               .hint = "are data.bos_token_id and data.eos_token_id right? Otherwise take longer "
                       "sequences or larger batches"});
}

// Forward and backward of all micro-batches; the mean loss.
double Trainer::learn(const StepData& data, bool diagnosed) {
  const int64_t batch = config_.train.batch_size, time = config_.data.sequence_length;
  const int64_t micro_batches = config_.train.gradient_accumulation_steps;
  // The loss is the mean over the whole step, so that a target weighs the same in any micro-batch.
  const double counted = static_cast<double>(data.counted);
  const auto of_micro_batch = [&](int64_t micro, const int32_t* ids) {
    return ids ? TokenIds(ids + micro * batch * time, {batch, time}) : TokenIds();
  };
  double loss = 0;
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
  if (diagnosed && std::isfinite(loss)) {
    const int64_t last = micro_batches - 1;
    diagnostics_->before_update(*activations_, of_micro_batch(last, data.inputs),
                                of_micro_batch(last, data.starts), loss);
  }
  return loss;
}

StepMetrics Trainer::step() {
  const Clock::time_point start = Clock::now();
  const std::clock_t cpu_start = std::clock();
  if (state_.step + 1 == config_.train.untie_at_step) set_model(untied(*model_));
  const StepData& data = prefetch_->next();
  limit_threads(threads_->threads());
  require_targets(data.counted);
  const bool diagnosed = diagnostics_ && diagnostics_->is_due(state_.step + 1);
  if (diagnostics_) diagnostics_->see({data.inputs, static_cast<size_t>(tokens_per_step())});
  const bool empty = data.counted == 0;  // a window of nothing but prompts
  const double loss = empty ? 0 : learn(data, diagnosed);
  const double norm = empty ? 0 : optimizer_->gradient_norm();
  const double learning_rate =
      config_.optimizer.learning_rate * learning_rate_factor(config_.schedule, state_.step);
  const bool learned = !empty && is_finite(loss, norm);
  if (learned) {
    const bool measured = diagnosed || directory_->wants_norms(state_.step + 1);
    optimizer_->step(learning_rate, clip_factor(norm, config_.train.max_grad_norm),
                     measured ? change_squares_ : std::span<double>());
    if (diagnosed) diagnostics_->after_update(change_squares_);
    if (diagnostics_) diagnostics_->add_loss(loss);
  } else {
    skip_update();
  }

  double elapsed = seconds_since(start);
  double cpu = static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
  if (diagnosed) {
    elapsed -= diagnostics_->seconds();
    cpu -= diagnostics_->cpu_seconds();
  }
  threads_->took(elapsed);
  const double tokens = static_cast<double>(tokens_per_step());
  const double flops = tokens * flops_per_token_ / elapsed;
  ++state_.step;
  state_.tokens += tokens_per_step();
  state_.windows +=
      static_cast<uint64_t>(config_.train.gradient_accumulation_steps * config_.train.batch_size);
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
          .skipped = !learned,
          .step_seconds = elapsed};
}

Evaluation Trainer::evaluate(const EachLoss& each_loss) {
  EvaluationRequest request = evaluation_of(*inputs_, config_);
  request.progress = [&](int64_t done, int64_t all) { observer_->evaluating(done, all); };
  request.each_loss = each_loss;
  return cria::evaluate(*model_, *activations_, *inputs_->validation, request);
}

// What only reports is not to end a run. The same problem is told once, however often it comes.
template <class Work>
void Trainer::attempt(Work&& work) {
  const auto problem = message_of_error(work);
  if (problem && problems_.insert(*problem).second) {
    observer_->warned("training goes on, but without this: " + *problem);
  }
}

void Trainer::report_step(const StepMetrics& metrics) {
  attempt([&] { directory_->log(to_json(metrics)); });
  if (!metrics.skipped && diagnostics_ && diagnostics_->is_due(state_.step)) {
    attempt([&] { directory_->log(diagnostics_->line(state_.step)); });
  }
  if (!metrics.skipped && directory_->wants_norms(state_.step)) {
    const Parameters& parameters = model_->parameters();
    attempt([&] {
      directory_->norms(state_.step,
                        part_norms(parameters, slot_squares(parameters, parameters.value()), {},
                                   change_squares_));
    });
  }
  observer_->stepped(metrics);
  // That of a guess is ln V.
  const double guess = std::log(static_cast<double>(config_.model.vocab_size));
  if (state_.step == 1 && config_.init_from.empty() && metrics.loss > 1.5 * guess) {
    observer_->warned("the first loss, " + std::to_string(metrics.loss) +
                      ", is far above ln vocab_size = " + std::to_string(guess) +
                      ", that of a guess: give smaller initial weights (model.initializer_range, "
                      "model.embedding_initializer_range) or a smaller model.embedding_scale");
  }
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
  attempt([&] { directory_->log(line); });
  observer_->evaluated(state_.step, last_evaluation_);
  keep_best();
}

// Of equal losses the first is the best.
void Trainer::keep_best() {
  TrainingState::Best& best = state_.best;
  ++best.evaluations_since;
  if (last_evaluation_.loss < best.loss) {
    best = {.step = state_.step, .loss = last_evaluation_.loss, .evaluations_since = 0};
    attempt([&] {
      save_best(directory_->best(), *model_, inputs_->tokenizer.get(), state_, generation_);
    });
  }
  if (!is_out_of_patience()) return;
  attempt([&] { directory_->log(Json::Object{{"step", state_.step}, {"ended_early", 1}}); });
}

bool Trainer::is_out_of_patience() const {
  const TrainConfig& train = config_.train;
  return state_.step < train.steps && train.patience > 0 &&
         state_.best.evaluations_since >= train.patience;
}

bool Trainer::has_ended() const {
  return state_.step >= config_.train.steps || is_out_of_patience();
}

std::string Trainer::sample() {
  Generator generator(*model_, *inputs_->tokenizer);
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
    save_checkpoint(path, *model_, inputs_->tokenizer.get(), state_, segments_, generation_);
    directory_->prune_checkpoints();
  }
  observer_->saved(path, fingerprint(model_->parameters()));
}

bool Trainer::run(const std::atomic<bool>& stop) {
  const TrainConfig& train = config_.train;
  if (!has_ended()) {
    attempt([&] {
      directory_->started(run_start(state_.step, files_of(inputs_->training),
                                    files_of(std::span(&inputs_->validation, 1))));
    });
  }
  while (!has_ended() && !stop) {
    report_step(step());
    const bool last = state_.step == train.steps;
    if (has_validation() && (last || is_due(state_.step, train.eval_every))) {
      attempt([&] { report_evaluation(); });
    }
    if (inputs_->tokenizer && is_due(state_.step, train.sample_every)) {
      attempt([&] { report_sample(); });
    }
    if (last || is_due(state_.step, train.checkpoint_every)) save();
  }
  if (state_.step < train.steps || state_.step == 0) save();
  if (is_out_of_patience()) observer_->ended_early(state_.step, state_.best);
  attempt([&] { directory_->project(*model_->embed_tokens().weight, inputs_->tokenizer.get()); });
  return has_ended();
}

}  // namespace cria
