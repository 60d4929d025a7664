#include "cria/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <utility>

#include "base/machine.h"
#include "base/thread_choice.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/base/parallel.h"
#include "cria/exchange/load_model.h"
#include "cria/optim/schedule.h"
#include "data/prefetch.h"
#include "inspect/loss_spikes.h"
#include "kernels/peak.h"
#include "model/frozen.h"
#include "train/data_parallel.h"
#include "train/diagnostics.h"
#include "train/init_from.h"
#include "train/parameter_patterns.h"
#include "train/resumption.h"
#include "train/run_directory.h"
#include "train/run_inputs.h"

namespace cria {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Steps that may be skipped in a row: more are no accident.
constexpr int64_t kMostSkipped = 100;

}  // namespace

Trainer::Trainer(RunConfig config, bool resume, TrainingObserver& observer, bool change,
                 Communicator* ranks)
    : config_(std::move(config)), observer_(&observer), inputs_(std::make_unique<RunInputs>()) {
  static Communicator alone;
  parallel_ = std::make_unique<DataParallel>(config_, ranks ? *ranks : alone);
  directory_ = std::make_unique<RunDirectory>(config_.train.output_dir, resume, leads());
  const bool resumed = !directory_->resumed().empty();
  *inputs_ = open_inputs(config_);
  const StepLayout layout = {.micro_batches = config_.train.gradient_accumulation_steps,
                             .parts = config_.train.data_parallel};
  const Batches batches = batches_of(*inputs_, config_);

  // Before the weights are touched, as its Error says what to make smaller.
  set_model(
      std::make_unique<Llama>(config_.model, precision_of(config_.train), parallel_->planes()));
  if (!resumed) set_initial_weights(config_, *model_);
  if (!config_.init_from.empty()) generation_ = read_generation(config_.init_from);
  if (config_.model.memory_length > 0) {
    segments_.assign(layout.micro_batches * layout.parts,
                     SegmentMemory(config_.model, windows_in_pass(config_.train)));
  }
  prefetch_ = std::make_unique<Prefetch>(batches, layout, inputs_->documents);
  state_.data = inputs_->description;
  open_run_directory(change);
  begin_spikes();
  if (config_.log.diagnostics != 0) begin_diagnostics(batches);
  peak_flops_ = peak_flops(precision_of(config_.train));
  prefetch_->start(state_.windows);
  threads_ = std::make_unique<ThreadChoice>(max_threads(), [before = processor_times()]() mutable {
    const ProcessorTimes earlier = std::exchange(before, processor_times());
    return free_processors(earlier, before);
  });
}

Trainer::~Trainer() {
  parallel_->ranks().drop_jobs();  // which read the gradients
  limit_threads(0);
}

bool Trainer::leads() const {
  return parallel_->ranks().leads();
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
  parallel_->set_parameters(model_->parameters());
  optimizer_ = std::make_unique<AdamWOptimizer>(model_->parameters(), config_.optimizer,
                                                &parallel_->slices());
  optimizer_->set_steps(state_.step);
  activations_ = std::make_unique<Activations>(
      *model_, Purpose::training, windows_in_pass(config_.train), config_.data.sequence_length,
      parallel_->own_parts() * config_.train.gradient_accumulation_steps);
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
    if (untie_at > 0 && resumption.step >= untie_at) {
      set_model(untied(*model_, parallel_->planes()));
    }
    state_ = load_checkpoint(checkpoint, *model_, segments_);
    lines = compare_settings(resumption, directory_->earlier_config(), config_);
    const std::vector<std::string> more = compare_data(resumption, state_.data, data);
    lines.insert(lines.end(), more.begin(), more.end());
    state_.data = data;
    optimizer_->set_steps(state_.step);
  }
  require_same_run();
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
  if (leads()) directory_->log(Json::Object{{"step", state_.step + 1}, {"not_finite", 1}});
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

// Forward and backward of all parts and their micro-batches; the mean loss.
double Trainer::learn(const StepData& data, bool diagnosed) {
  const int64_t batch = windows_in_pass(config_.train), time = config_.data.sequence_length;
  const int64_t micro_batches = config_.train.gradient_accumulation_steps;
  const int64_t passes = config_.train.data_parallel * micro_batches;
  // The loss is the mean over the whole step, so that a target weighs the same in any micro-batch.
  const double counted = static_cast<double>(data.counted);
  const auto of_pass = [&](int64_t pass, const int32_t* ids) {
    return ids ? TokenIds(ids + pass * batch * time, {batch, time}) : TokenIds();
  };
  const std::function<void(int64_t)> complete_from = [this](int64_t offset) {
    parallel_->complete_from(offset);
  };
  const int64_t last_pass = (parallel_->last_part() + 1) * micro_batches - 1;
  for (int64_t part = parallel_->first_part(); part <= parallel_->last_part(); ++part) {
    double loss = 0;
    for (int64_t pass = part * micro_batches; pass < (part + 1) * micro_batches; ++pass) {
      loss += model_->loss_and_gradient(
          *activations_, of_pass(pass, data.inputs), of_pass(pass, data.targets),
          {.document_starts = of_pass(pass, data.starts),
           .randomness = {.seed = static_cast<uint64_t>(config_.train.seed),
                          .pass = static_cast<uint64_t>(state_.step * passes + pass),
                          .active = true},
           .segments = segments_.empty() ? nullptr : &segments_[pass],
           .gradient_scale = static_cast<float>(1.0 / counted),
           .z_loss = config_.train.z_loss,
           .complete_from = pass < last_pass ? nullptr : complete_from});
      if (diagnosed) diagnostics_->after_backward(*activations_, of_pass(pass, data.inputs));
    }
    parallel_->end_part(part, loss);
  }
  const double loss = parallel_->end_step() / counted;
  if (diagnosed && std::isfinite(loss)) {
    diagnostics_->before_update(*activations_, of_pass(passes - 1, data.inputs),
                                of_pass(passes - 1, data.starts), loss);
  }
  return loss;
}

StepMetrics Trainer::step() {
  const Clock::time_point start = Clock::now();
  const std::clock_t cpu_start = std::clock();
  if (state_.step + 1 == config_.train.untie_at_step) {
    parallel_->gather_moments(model_->parameters());
    set_model(untied(*model_, parallel_->planes()));
  }
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
          .mfu = flops / (peak_flops_ * parallel_->ranks().size()),
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
  request.ranks = &parallel_->ranks();
  return cria::evaluate(*model_, *activations_, *inputs_->validation, request);
}

}  // namespace cria
