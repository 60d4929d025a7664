#include "train/run_directory.h"

#include <vector>

#include "cria/base/error.h"
#include "cria/exchange/load_model.h"
#include "exchange/arrays.h"

namespace cria {

RunDirectory::RunDirectory(const std::string& path, bool resume) : path_(path) {
  // Before all advice to resume or to remove what may be in use.
  if (exists(join_path(path, "lock"))) take_lock();
  const std::string metrics = join_path(path, "metrics.jsonl");
  const std::vector<std::string> checkpoints = list_checkpoints(path);
  const bool begun = exists(metrics);
  if (resume) {
    if (!checkpoints.empty()) resumed_ = checkpoints.back();
  } else if (!checkpoints.empty() || begun) {
    const std::string other = "remove it, or give another train.output_dir=...";
    throw Error("this directory holds a run already",
                {.where = path,
                 .expected = "a directory without checkpoints and metrics.jsonl",
                 .got = checkpoints.empty() ? metrics : checkpoints.back(),
                 .hint = (checkpoints.empty() ? "begin again" : "go on") +
                         std::string(" with --resume, or ") + other});
  }
}

void RunDirectory::take_lock() {
  lock_ = std::make_unique<FileLock>(
      join_path(path_, "lock"),
      "another cria is training here: wait for it, or give another train.output_dir=...");
}

void RunDirectory::open(const RunConfig& config, int64_t step) {
  make_directories(join_path(path_, "checkpoints"));
  if (!lock_) take_lock();
  remove_leftovers(join_path(path_, "checkpoints"), "");
  write_file(join_path(path_, "config.toml"), to_toml(config));
  metrics_ = std::make_unique<MetricsLog>(path_, step);
  if (config.log.tensorboard) tensorboard_ = std::make_unique<TensorBoardLog>(path_, step);
  norms_every_ = config.log.norms_every;
  keep_checkpoints_ = config.train.keep_checkpoints;
}

void RunDirectory::log(const Json& line) {
  metrics_->write(line);
  if (tensorboard_) tensorboard_->scalars(line);
}

void RunDirectory::sample(int64_t step, const std::string& text) {
  append_to_file(join_path(path_, "samples.txt"),
                 "--- step " + std::to_string(step) + "\n" + text + "\n");
  if (tensorboard_) tensorboard_->sample(step, text);
}

void RunDirectory::norms(int64_t step, std::span<const PartNorms> parts) {
  tensorboard_->norms(step, parts);
}

void RunDirectory::project(const Parameter& table, const Tokenizer* tokenizer) const {
  if (tensorboard_) write_projector(path_, "projector", table.name, table.value, tokenizer);
}

std::string RunDirectory::checkpoint(int64_t step) const {
  return checkpoint_path(path_, step);
}

void RunDirectory::prune_checkpoints() const {
  if (keep_checkpoints_ == 0) return;
  const std::vector<std::string> all = list_checkpoints(path_);
  const size_t keep = static_cast<size_t>(keep_checkpoints_);
  for (size_t i = 0; i + keep < all.size(); ++i) remove_directory(all[i]);
}

}  // namespace cria
