#include "experiment/run_estimate.h"

#include "base/timing.h"
#include "inspect/benchmark.h"
#include "train/run_inputs.h"

namespace cria {

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
  const Dataset validation(config.data.val, shard_format(config.data.shard_format),
                           run.model.vocab_size);
  result.seconds = steps * step + evaluated_tokens(&validation, config) / tokens * step * kForward;
  return result;
}

}  // namespace cria
