// How a training run goes: what is done after which step, who reports it, and how it ends.
#include <cmath>
#include <sstream>

#include "base/first_error.h"
#include "base/version.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/exchange/load_model.h"
#include "cria/inference/generate.h"
#include "cria/train/trainer.h"
#include "data/dataset_json.h"
#include "inspect/loss_spikes.h"
#include "train/data_parallel.h"
#include "train/diagnostics.h"
#include "train/part_norms.h"
#include "train/run_directory.h"
#include "train/run_inputs.h"
#include "train/run_start.h"

namespace cria {
namespace {

constexpr int64_t kLastingSpike = 10;  // steps
constexpr int64_t kMostReturns = 3;    // to one checkpoint

}  // namespace

// What decides the bits is the same in all processes.
void Trainer::require_same_run() const {
  if (parallel_->is_alone()) return;
  std::vector<std::string> lines = {
      std::string("version = ") + kCriaVersion,
      std::string("commit = ") + kCommit,
      std::string("instruction set = ") + kernels().isa,
      "training data = " + inputs_->description.dump(),
      "validation data = " + data_checksum(files_of(std::span(&inputs_->validation, 1))),
      "steps done = " + std::to_string(state_.step),
  };
  std::istringstream settings(to_toml(config_));
  for (std::string line; std::getline(settings, line);) lines.push_back(line);
  lines.push_back("weights = " + fingerprint(model_->parameters()));
  require_agreement(parallel_->ranks(), lines);
}

// What only reports is the first process's alone, and is not to end a run. The same problem is told
// once, however often it comes.
template <class Work>
void Trainer::attempt(Work&& work) {
  if (!leads()) return;
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
  if (parallel_->ranks().any(leads() && !exists(path))) {
    parallel_->gather(segments_, config_.model.num_hidden_layers);
    if (!leads()) return parallel_->slices().serve();
    directory_->sync();
    save_checkpoint(path, *model_, inputs_->tokenizer.get(), state_, segments_, generation_,
                    parallel_->moments());
    parallel_->slices().end_reading();
    directory_->prune_checkpoints();
  }
  if (leads()) observer_->saved(path, fingerprint(model_->parameters()));
}

// Only the first process's count: it writes what is read here, and may be at it.
void Trainer::begin_spikes() {
  spikes_ = std::make_unique<LossSpikes>();
  if (!leads()) return;
  for (const double loss : read_losses(config_.train.output_dir)) spikes_->add(loss);
}

// Whether the loss has jumped up, for too long to be chance, and the run has gone back for it.
bool Trainer::has_returned(const StepMetrics& metrics) {
  if (metrics.skipped) return false;
  spikes_->add(metrics.loss);
  if (!parallel_->ranks().any(leads() && spikes_->length() == kLastingSpike)) return false;
  const int64_t before = state_.step - kLastingSpike;
  observer_->warned("the loss has jumped up by more than a fifth after step " +
                    std::to_string(before) + ", and stays there");
  if (config_.train.on_spike != "return") return false;
  // The first process chooses: a directory that machines share may look older to others.
  std::vector<std::string> checkpoints =
      leads() ? list_checkpoints(config_.train.output_dir) : std::vector<std::string>();
  std::erase_if(checkpoints, [&](const std::string& each) { return steps_of(each) > before; });
  const std::string last = checkpoints.empty() ? "" : checkpoints.back();
  const std::string chosen = parallel_->ranks().all_gather(std::string_view(last)).front();
  if (chosen.empty()) {
    observer_->warned("there is no checkpoint of before that to return to");
    return false;
  }
  return_to(chosen);
  return true;
}

// The data goes on: what led here is not read a second time.
void Trainer::return_to(const std::string& checkpoint) {
  const std::string where = "step " + std::to_string(state_.step);
  const TrainingState now = state_;
  state_ = load_checkpoint(checkpoint, *model_, segments_);
  state_.data = now.data;
  state_.windows = now.windows;
  state_.seconds = now.seconds;
  // What best/ holds is no worse for the steps that were undone.
  if (now.best.loss < state_.best.loss) {
    state_.best = now.best;
    state_.best.evaluations_since = 0;
  }
  // What they remember does not come before the data that follows.
  for (SegmentMemory& memory : segments_) memory.clear();
  returns_ = state_.step == returned_to_ ? returns_ + 1 : 1;
  returned_to_ = state_.step;
  if (returns_ > kMostReturns) {
    throw Error("the loss jumps up again and again",
                {.where = where,
                 .expected = "other data not to do that to the model of " + checkpoint,
                 .got = std::to_string(kMostReturns) + " returns to it",
                 .hint = "try a lower optimizer.learning_rate"});
  }
  optimizer_->set_steps(state_.step);
  directory_->go_back(config_, state_.step);
  begin_spikes();
  if (diagnostics_) begin_diagnostics(batches_of(*inputs_, config_));
  observer_->warned("back to step " + std::to_string(state_.step) +
                    ", and on with the data that follows " + where);
}

bool Trainer::run(const std::atomic<bool>& stop) {
  const TrainConfig& train = config_.train;
  if (!has_ended()) {
    attempt([&] {
      directory_->started(run_start(state_.step, files_of(inputs_->training),
                                    files_of(std::span(&inputs_->validation, 1))));
    });
  }
  while (!has_ended() && !parallel_->ranks().any(stop)) {
    const StepMetrics metrics = step();
    report_step(metrics);
    if (has_returned(metrics)) continue;
    const bool last = state_.step == train.steps;
    if (has_validation() && (last || is_due(state_.step, train.eval_every))) {
      // Who shares it with others cannot leave it: its errors end the run.
      if (parallel_->is_alone()) attempt([&] { report_evaluation(); });
      if (!parallel_->is_alone()) report_evaluation();
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
