// The training loop: batches, forward and backward, clip, AdamW; evaluation, samples, checkpoints.
#pragma once

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cria/data/batches.h"
#include "cria/inference/evaluate.h"
#include "cria/model/llama.h"
#include "cria/optim/adamw.h"
#include "cria/train/checkpoint.h"
#include "cria/train/metrics.h"
#include "cria/train/run_config.h"

namespace cria {

class Communicator;
class DataParallel;
class LossSpikes;
class Prefetch;
struct StepData;
class RunDirectory;
class ThreadChoice;
struct RunInputs;
class TrainingDiagnostics;

// Hears what happens; the trainer itself prints nothing.
class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  virtual void stepped(const StepMetrics& /*metrics*/) {}
  virtual void evaluating(int64_t /*done*/, int64_t /*windows*/) {}
  virtual void evaluated(int64_t /*step*/, const Evaluation& /*evaluation*/) {}
  virtual void sampled(int64_t /*step*/, const std::string& /*text*/) {}
  virtual void warned(const std::string& /*line*/) {}
  virtual void saved(const std::string& /*checkpoint*/, const std::string& /*fingerprint*/) {}
  virtual void ended_early(int64_t /*step*/, const TrainingState::Best& /*best*/) {}
};

class Trainer {
 public:
  // Reads tokenizer and data, builds the model, and only when all of that fits makes the run
  // directory. resume: goes on from its latest checkpoint, and from the beginning while there is
  // none. Error when the directory holds a run already, without resume; and with it, unless change,
  // for other settings or data, with which the bits would be others than without an interruption.
  // ranks: the processes that train together, and do all of this at the same time (null: this one
  // alone). The first of them writes and reports; Error on all when they differ in what decides the
  // bits. A run may go on with another number of them.
  Trainer(RunConfig config, bool resume, TrainingObserver& observer, bool change = false,
          Communicator* ranks = nullptr);

  ~Trainer();

  // Up to train.steps, to the end of train.patience, or until stop becomes true (in any of the
  // processes); the last thing done is a checkpoint. Returns whether the run has come to its end.
  // What only reports (evaluations, samples, metrics) does not end it: its errors are warnings.
  // When the loss has jumped up and stayed there for ten steps (see inspect/loss_spikes), a run
  // with train.on_spike = "return" goes back to its last checkpoint of before, and on with the data
  // that follows.
  bool run(const std::atomic<bool>& stop);

  // One optimizer step. Error, weights untouched, when there is no target to learn, or the loss or
  // the gradient norm is not finite; such a step is skipped instead with train.on_nonfinite =
  // "skip", its loss not a number. Allocates nothing, but at train.untie_at_step, when model()
  // becomes another, and for log.diagnostics.
  StepMetrics step();

  Evaluation evaluate(const EachLoss& each_loss = {});
  std::string sample();
  void save();

  const RunConfig& config() const { return config_; }  // resolved
  const Llama& model() const { return *model_; }
  bool has_validation() const;
  int64_t steps_done() const { return state_.step; }
  const Evaluation& last_evaluation() const { return last_evaluation_; }
  int64_t tokens_per_step() const;

 private:
  void set_model(std::unique_ptr<Llama> model);
  void open_run_directory(bool change);
  void require_same_run() const;
  bool leads() const;
  void begin_diagnostics(Batches batches);
  double learn(const StepData& data, bool diagnosed);
  void require_targets(int64_t counted) const;
  bool is_finite(double loss, double norm);
  void skip_update();
  void keep_best();
  void report_step(const StepMetrics& metrics);
  void report_evaluation();
  void report_sample();
  void begin_spikes();
  bool has_returned(const StepMetrics& metrics);
  void return_to(const std::string& checkpoint);
  bool is_out_of_patience() const;
  bool has_ended() const;
  template <class Work>
  void attempt(Work&& work);

  RunConfig config_;
  TrainingObserver* observer_;
  std::unique_ptr<RunInputs> inputs_;
  std::unique_ptr<DataParallel> parallel_;
  std::unique_ptr<Llama> model_;
  std::unique_ptr<Activations> activations_;
  std::unique_ptr<AdamWOptimizer> optimizer_;
  std::unique_ptr<Prefetch> prefetch_;
  std::vector<SegmentMemory> segments_;  // one for each pass of a step, with model.memory_length
  std::unique_ptr<RunDirectory> directory_;
  std::unique_ptr<TrainingDiagnostics> diagnostics_;  // with log.diagnostics
  std::vector<double> change_squares_;                // of the step's update, for each parameter
  double flops_per_token_ = 0;
  double peak_flops_ = 0;
  std::unique_ptr<ThreadChoice> threads_;
  std::unique_ptr<LossSpikes> spikes_;
  int64_t returned_to_ = -1, returns_ = 0;  // the step; how often in a row
  int64_t skipped_ = 0;                     // steps in a row
  std::set<std::string> problems_;          // of what only reports, told already
  TrainingState state_;
  Json generation_;  // of the model that train.init_from names, for checkpoints
  Evaluation last_evaluation_;
};

}  // namespace cria
