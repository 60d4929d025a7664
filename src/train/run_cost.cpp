#include "train/run_cost.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/processors.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/exchange/load_model.h"
#include "cria/model/llama.h"
#include "kernels/peak.h"
#include "model/frozen.h"
#include "optim/gradient_tree.h"
#include "train/init_from.h"
#include "train/parameter_patterns.h"
#include "train/run_directory.h"

namespace cria {
namespace {

constexpr int64_t kPlanes = 4, kFloat = sizeof(float);

// The directory that is there, of those that the path leads through.
std::string existing_part(const std::string& path) {
  std::filesystem::path part = std::filesystem::absolute(path);
  while (!std::filesystem::exists(part)) part = part.parent_path();
  return part.string();
}

void require_writable(const std::string& path) {
  const std::string part = existing_part(path);
  if (std::filesystem::is_directory(part) && ::access(part.c_str(), W_OK | X_OK) == 0) return;
  throw Error("cannot be written to", {.where = part,
                                       .expected = "a directory for " + path,
                                       .hint = "give another train.output_dir=..."});
}

}  // namespace

RunCost cost_of(const RunConfig& config, const RunInputs& inputs, bool resume) {
  const TrainConfig& train = config.train;
  const int64_t length = config.data.sequence_length;
  const RunDirectory directory(train.output_dir, resume);
  require_writable(train.output_dir);
  Llama model(config.model, precision_of(train), Planes::none);
  require_pattern_members(config, model.parameters());
  require_pretrained_shape(config, model.embed_tokens());
  freeze_parameters(config, model.parameters());

  RunCost cost;
  cost.output_dir = train.output_dir;
  cost.parameters = model.parameters().count();
  cost.without_embedding = cost.parameters - model.embed_tokens().weight->value.size();
  int64_t frozen = 0;
  for (const Parameter& slot : model.parameters().slots()) {
    if (slot.frozen) frozen += slot.value.size();
  }
  cost.trained = cost.parameters - frozen;
  const int64_t done = directory.resumed().empty() ? 0 : steps_of(directory.resumed());
  cost.steps = train.steps - std::min(done, train.steps);
  cost.tokens = cost.steps * train.gradient_accumulation_steps * train.batch_size * length;
  int64_t data = 0;
  for (const auto& dataset : inputs.training) data += dataset->training_windows(length) * length;
  cost.epochs = static_cast<double>(cost.tokens) / static_cast<double>(data);
  // Forward is a third of a step.
  cost.flops = static_cast<double>(cost.tokens) *
                   training_flops_per_token(config.model, model.parameters(), length) +
               evaluated_tokens(inputs.validation.get(), config) / 3 *
                   training_flops_per_token(config.model, length);
  cost.peak = peak_flops(precision_of(train));
  cost.seconds = cost.flops / (kUsualShare * cost.peak);
  cost.state_bytes = (kPlanes + GradientTree::planes(train.data_parallel)) * kFloat *
                     model.parameters().plane_size();
  cost.activation_bytes =
      Activations::bytes_for(model, Purpose::training, windows_in_pass(train), length,
                             train.data_parallel * train.gradient_accumulation_steps);
  cost.available_bytes = available_memory();
  // Weights, and two moments of what is trained; the best is weights alone.
  cost.checkpoint_bytes = kFloat * (cost.parameters + 2 * cost.trained);
  const int64_t times = train.checkpoint_every > 0 && train.steps > 0
                            ? (train.steps + train.checkpoint_every - 1) / train.checkpoint_every
                            : 1;
  // One more is there before the oldest goes.
  const int64_t kept =
      train.keep_checkpoints > 0 ? std::min(times, train.keep_checkpoints + 1) : times;
  cost.disk_bytes =
      kept * cost.checkpoint_bytes + (inputs.validation ? 2 * kFloat * cost.parameters : 0);
  std::error_code ignored;
  cost.free_disk_bytes = static_cast<double>(
      std::filesystem::space(existing_part(train.output_dir), ignored).available);
  return cost;
}

}  // namespace cria
