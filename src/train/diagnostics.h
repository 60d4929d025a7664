// What is measured in some of a run's steps, for metrics.jsonl: inspect/diagnostics, the norms of
// each part of the model, and spikes of the loss. It reads what a step leaves in memory and changes
// no bit of the run.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "cria/base/json.h"
#include "cria/data/dataset.h"
#include "cria/train/run_config.h"
#include "inspect/diagnostics.h"

namespace cria {

// Whether to measure in a step, counted from 1, of so many.
bool is_diagnosed(int64_t step, const LogConfig& log, int64_t steps);

// How often each id occurs in all of these together, [V].
std::vector<int64_t> count_tokens(std::span<const std::unique_ptr<Dataset>> training,
                                  int64_t vocabulary);

class TrainingDiagnostics {
 public:
  // Counts the tokens of the training shards. losses: of the steps done before, in a resumed run.
  TrainingDiagnostics(const RunConfig& config, const Llama& model,
                      std::span<const std::unique_ptr<Dataset>> training,
                      std::span<const double> losses);

  // The model from the next step on.
  void set_model(const Llama& model);

  bool is_due(int64_t step) const { return is_diagnosed(step, log_, steps_); }

  // The inputs of a step that begins, due or not; in a resumed run also of the steps before.
  void see(std::span<const int32_t> inputs);
  void add_loss(double loss) { spikes_.add(loss); }

  // In this order, of a step that is due: after each micro-batch; before the update; after it
  // (change_squares: see AdamWOptimizer::step).
  void after_backward(const Activations& memory, const TokenIds& tokens);
  void before_update(const Activations& memory, const TokenIds& tokens,
                     const TokenIds& document_starts, double loss);
  void after_update(std::span<const double> change_squares);

  // Spent here since the step began: time, and processor time of all threads.
  double seconds() const { return seconds_; }
  double cpu_seconds() const { return cpu_seconds_; }
  Json line(int64_t step) const;  // of metrics.jsonl, for that step

  // Of a validation.
  const FrequencyDeciles& deciles() const { return deciles_; }

 private:
  LogConfig log_;
  int64_t steps_;
  const Llama* model_;
  FrequencyDeciles deciles_;
  TableGradientParts gradient_;
  LossSpikes spikes_;
  std::vector<uint8_t> looked_up_;  // [V]: whether an id has been an input
  std::vector<double> weight_squares_, gradient_squares_;
  NamedNumbers numbers_;
  double seconds_ = 0, cpu_seconds_ = 0;
};

}  // namespace cria
