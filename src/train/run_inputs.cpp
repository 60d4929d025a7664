#include "train/run_inputs.h"

#include <algorithm>
#include <utility>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/inference/generate.h"
#include "data/dataset_json.h"
#include "inference/document_marks.h"
#include "inference/shard_tokenizer.h"
#include "train/init_from.h"

namespace cria {
namespace {

Json describe_data(const RunConfig& config, const std::vector<std::unique_ptr<Dataset>>& datasets) {
  const std::vector<SourceConfig> sources = config.data.training_sources();
  int64_t tokens = 0;
  std::vector<std::string> files;
  Json::Array each;
  for (size_t i = 0; i < datasets.size(); ++i) {
    tokens += datasets[i]->tokens();
    for (std::string& path : datasets[i]->files()) files.push_back(std::move(path));
    each.push_back(Json::Object{{"tokens", datasets[i]->tokens()}, {"weight", sources[i].weight}});
  }
  Json json;
  json.set("tokens", tokens);
  if (each.size() > 1) json.set("sources", each);
  json.set("sequence_length", config.data.sequence_length);
  json.set("seed", config.train.seed);
  json.set("hash", data_checksum(files, true));
  return json;
}

void require_parts(const RunConfig& config) {
  const TrainConfig& train = config.train;
  if (train.batch_size % train.data_parallel == 0) return;
  throw Error("the batch cannot be divided so",
              {.where = config.source + ": train.data_parallel",
               .expected = "a divisor of train.batch_size = " + std::to_string(train.batch_size),
               .got = std::to_string(train.data_parallel)});
}

void require_returnable(const RunConfig& config) {
  if (config.train.on_spike != "return" || config.train.untie_at_step == 0) return;
  throw Error("a run that unties its head cannot go back to what it was before",
              {.where = config.source + ": train.on_spike",
               .expected = "\"warn\" with train.untie_at_step",
               .got = "\"return\""});
}

// The first sample, or evaluation, is not the moment to find out.
void require_prompt(RunConfig& config, const Tokenizer& tokenizer) {
  std::string& prompt = config.train.sample_prompt;
  if (prompt.empty()) prompt = default_prompt(tokenizer);
  const std::string where = config.source + ": train.sample_prompt";
  if (!tokenizer.encode_prompt(prompt, where).empty()) return;
  throw Error("the prompt of samples is empty",
              {.where = where, .hint = "give a text that the tokenizer knows"});
}

void require_validation_targets(const RunInputs& inputs, const RunConfig& config) {
  // Without marks every window has targets; an Error now, not after an hour.
  if (has_targets(*inputs.validation, evaluation_of(inputs, config))) return;
  throw Error(
      "no token to predict in the validation data",
      {.where = config.source + ": data.val",
       .expected = "documents of more than one token",
       .got = config.data.val,
       .hint = "are data.bos_token_id, data.eos_token_id and the masks right? Otherwise give "
               "a larger train.eval_batches, or data.val = \"\" for none"});
}

}  // namespace

RunInputs open_inputs(RunConfig& config) {
  const DataConfig& data = config.data;
  require_parts(config);
  require_returnable(config);
  RunInputs inputs;
  // Without the shards there is no tokenizer beside them and no vocabulary either.
  for (const SourceConfig& source : data.training_sources()) glob_files(source.train);
  inputs.tokenizer = read_run_tokenizer(config);
  config.model = resolve_model(config, inputs.tokenizer.get());
  inputs.token_lengths = token_lengths(inputs.tokenizer.get());
  const ShardFormat format = shard_format(data.shard_format);
  std::vector<std::string> globs;
  const auto open = [&](const std::string& glob) {
    if (inputs.tokenizer) require_tokenizer_of(glob, *inputs.tokenizer);
    globs.push_back(glob);
    return std::make_unique<Dataset>(glob, format, config.model.vocab_size, data.loss_mask);
  };
  for (const SourceConfig& source : data.training_sources()) {
    inputs.training.push_back(open(source.train));
  }
  if (!data.val.empty()) inputs.validation = open(data.val);
  if (data.mask_documents) {
    inputs.documents = document_marks(config.model, globs,
                                      {.bos = static_cast<int32_t>(data.bos_token_id),
                                       .eos = static_cast<int32_t>(data.eos_token_id)});
  }
  if (inputs.validation) require_validation_targets(inputs, config);
  if (inputs.tokenizer && config.train.sample_every > 0) {
    require_prompt(config, *inputs.tokenizer);
  }
  inputs.description = describe_data(config, inputs.training);
  return inputs;
}

Batches batches_of(const RunInputs& inputs, const RunConfig& config) {
  const std::vector<SourceConfig> configs = config.data.training_sources();
  std::vector<WeightedDataset> sources;
  for (size_t i = 0; i < configs.size(); ++i) {
    sources.push_back({inputs.training[i].get(), configs[i].weight});
  }
  Batches batches(sources, config.train.batch_size, config.data.sequence_length,
                  static_cast<uint64_t>(config.train.seed));
  if (config.model.memory_length > 0) {
    batches.read_in_lanes(config.train.batch_size * config.train.gradient_accumulation_steps);
  }
  return batches;
}

std::vector<std::string> files_of(std::span<const std::unique_ptr<Dataset>> datasets) {
  std::vector<std::string> paths;
  for (const auto& dataset : datasets) {
    if (!dataset) continue;
    for (std::string& path : dataset->files()) paths.push_back(std::move(path));
  }
  return paths;
}

EvaluationRequest evaluation_of(const RunInputs& inputs, const RunConfig& config) {
  return {.sequence_length = config.data.sequence_length,
          .batch_size = windows_in_pass(config.train),
          .batches = config.train.eval_batches * config.train.data_parallel,
          .token_lengths = inputs.token_lengths,
          .documents = inputs.documents};
}

int64_t evaluated_windows(const Dataset* validation, const RunConfig& config) {
  if (!validation) return 0;
  const TrainConfig& train = config.train;
  const int64_t all = validation->evaluation_windows(config.data.sequence_length);
  return train.eval_batches > 0 ? std::min(all, train.eval_batches * train.batch_size) : all;
}

double evaluated_tokens(const Dataset* validation, const RunConfig& config) {
  const TrainConfig& train = config.train;
  const int64_t times =
      train.eval_every > 0 ? (train.steps + train.eval_every - 1) / train.eval_every : 1;
  return static_cast<double>(evaluated_windows(validation, config) * config.data.sequence_length *
                             times);
}

std::vector<std::string> doubts_about(const RunInputs& inputs, const RunConfig& config) {
  const TrainConfig& train = config.train;
  std::vector<std::string> lines;
  if (train.steps == 0) return lines;
  if (config.schedule.warmup_steps >= train.steps) {
    lines.push_back("schedule.warmup_steps = " + std::to_string(config.schedule.warmup_steps) +
                    " is as long as the run, which never reaches optimizer.learning_rate: take a "
                    "tenth of train.steps or less");
  }
  if (train.sample_every > 0 && !inputs.tokenizer) {
    lines.push_back("there is no tokenizer, so there will be no samples: give data.tokenizer");
  }
  if (!inputs.validation) {
    lines.push_back(
        "there is no validation data, so nothing will tell learning from learning by "
        "heart: give data.val, or cut it off with 'cria prepare --val-fraction'");
    if (train.patience > 0) lines.push_back("without validation data train.patience does nothing");
    return lines;
  }
  // A forward pass takes a third of a training step.
  const int64_t windows = evaluated_windows(inputs.validation.get(), config);
  const int64_t steps =
      train.eval_every > 0 ? std::min(train.eval_every, train.steps) : train.steps;
  const int64_t trained = steps * train.gradient_accumulation_steps * train.batch_size;
  if (windows > 3 * trained) {
    lines.push_back("an evaluation of " + std::to_string(windows) +
                    " windows takes longer than the " + std::to_string(steps) +
                    " training steps before it: give train.eval_batches, or a larger "
                    "train.eval_every");
  }
  return lines;
}

}  // namespace cria
