#include "experiment/run_estimate.h"

#include <algorithm>

#include "base/timing.h"
#include "cria/data/dataset.h"
#include "cria/data/shard.h"
#include "inspect/benchmark.h"

namespace cria {
namespace {

// Tokens that all evaluations of the run will see.
double evaluated_tokens(const RunConfig& config, int64_t vocab_size) {
  const DataConfig& data = config.data;
  const TrainConfig& train = config.train;
  const Dataset validation(data.val, shard_format(data.shard_format), vocab_size);
  int64_t windows = validation.evaluation_windows(data.sequence_length);
  if (train.eval_batches > 0) windows = std::min(windows, train.eval_batches * train.batch_size);
  const int64_t evaluations =
      train.eval_every > 0 ? (train.steps + train.eval_every - 1) / train.eval_every : 1;
  return static_cast<double>(windows * data.sequence_length * evaluations);
}

}  // namespace

RunEstimate estimate(const PlannedRun& run) {
  constexpr int64_t kSteps = 3, kBytesPerParameter = 16;  // value, grad, m, v
  constexpr double kForward = 1.0 / 3;                    // of a step
  const RunConfig& config = run.config;
  const int64_t batch = config.train.batch_size, time = config.data.sequence_length;
  Llama model(run.model, precision_of(config.train));
  model.initialize(1);
  const double micro_batches = static_cast<double>(config.train.gradient_accumulation_steps);
  const double tokens = static_cast<double>(batch * time);
  const double step = median(
      time_steps(model, {batch, time, config.optimizer, config.train.max_grad_norm}, kSteps));
  const double steps = static_cast<double>(config.train.steps) * micro_batches;
  RunEstimate result;
  result.bytes = kBytesPerParameter * run.parameters +
                 Activations(model, Purpose::training, batch, time).bytes();
  result.flops = steps * tokens * training_flops_per_token(run.model, time);
  result.seconds =
      steps * step + evaluated_tokens(config, run.model.vocab_size) / tokens * step * kForward;
  return result;
}

}  // namespace cria
