#include "train/run_directory.h"

#include <filesystem>
#include <utility>

#include "base/first_error.h"
#include "base/number.h"
#include "cria/base/error.h"
#include "cria/exchange/load_model.h"
#include "cria/train/checkpoint.h"
#include "exchange/arrays.h"
#include "exchange/checkpoint_files.h"
#include "train/run_config_keys.h"

namespace cria {
namespace {

constexpr const char* kDamaged = ".damaged";
constexpr std::string_view kSample = "--- step ";  // and the step: what begins a sample

}  // namespace

std::optional<int64_t> sample_step(std::string_view line) {
  int64_t step = 0;
  if (!line.starts_with(kSample) || !parse_number(line.substr(kSample.size()), step)) return {};
  return step;
}

RunDirectory::RunDirectory(const std::string& path, bool resume, bool leads)
    : leads_(leads), path_(path) {
  // Before all advice to resume or to remove what may be in use.
  if (leads_ && exists(join_path(path, "lock"))) take_lock();
  const std::string metrics = join_path(path, "metrics.jsonl");
  const std::vector<std::string> checkpoints = list_checkpoints(path);
  const bool begun = exists(metrics);
  if (resume) {
    find_whole(checkpoints);
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

void RunDirectory::find_whole(const std::vector<std::string>& checkpoints) {
  for (size_t i = checkpoints.size(); i-- > 0;) {
    const auto problem =
        message_of_error([&] { require_whole(checkpoints[i], CheckpointFiles::all); });
    if (!problem) {
      resumed_ = checkpoints[i];
      return;
    }
    damaged_.push_back(checkpoints[i]);
    warnings_.push_back("a damaged checkpoint is passed over, and called " + checkpoints[i] +
                        kDamaged + " from now on: " + *problem);
  }
  if (damaged_.empty()) return;
  throw Error("no checkpoint is whole",
              {.where = join_path(path_, "checkpoints"),
               .expected = "one that has all it was written with",
               .got = warnings_.front(),
               .hint = "restore one from a copy, or read the last as it is with --no-verify"});
}

std::string RunDirectory::earlier_config() const {
  const std::string path = join_path(path_, kRunConfig);
  return exists(path) ? read_file(path) : "";
}

// The samples of steps after `step` are dropped, as lines of metrics are, and what a loss of power
// left after the last line end: a part of a heading, or zeros.
void RunDirectory::trim_samples(int64_t step) const {
  const std::string path = join_path(path_, "samples.txt");
  if (!exists(path)) return;
  const std::string text = read_file(path);
  std::string_view kept = std::string_view(text).substr(0, text.rfind('\n') + 1);
  for (size_t begin = 0; begin < kept.size(); begin = kept.find('\n', begin) + 1) {
    const std::string_view line = kept.substr(begin, kept.find('\n', begin) - begin);
    if (sample_step(line).value_or(step) > step) kept = kept.substr(0, begin);
  }
  if (kept.size() < text.size()) write_file(path, kept);
}

void RunDirectory::take_lock() {
  lock_ = std::make_unique<FileLock>(
      join_path(path_, "lock"),
      "another cria is training here: wait for it, or give another train.output_dir=...");
}

void RunDirectory::open(const RunConfig& config, int64_t step) {
  if (config.log.tensorboard) norms_every_ = config.log.norms_every;
  if (!leads_) return;
  make_directories(join_path(path_, "checkpoints"));
  if (!lock_) take_lock();
  // Once: a run that goes back comes here again, and may have written good ones of the same steps.
  for (const std::string& checkpoint : std::exchange(damaged_, {})) {
    const std::string aside = checkpoint + kDamaged;
    if (exists(aside)) remove_directory(aside);
    std::filesystem::rename(checkpoint, aside);
  }
  remove_leftovers(join_path(path_, "checkpoints"), "");
  mend_best(best());
  write_file(join_path(path_, kRunConfig), to_toml(config));
  if (!config.text.empty()) write_file(join_path(path_, kGivenConfig), config.text);
  trim_samples(step);
  metrics_ = std::make_unique<MetricsLog>(path_, step);
  if (metrics_->damaged() > 0) {
    warnings_.push_back("damaged lines of metrics.jsonl are left out: " +
                        std::to_string(metrics_->damaged()));
  }
  if (config.log.tensorboard) tensorboard_ = std::make_unique<TensorBoardLog>(path_, step);
  keep_checkpoints_ = config.train.keep_checkpoints;
  prune_checkpoints();  // what a run that ended between saving and this has left
}

// The latest goes first: whatever is left when the process dies, the same happens again from there.
void RunDirectory::go_back(const RunConfig& config, int64_t step) {
  const std::vector<std::string> all =
      leads_ ? list_checkpoints(path_) : std::vector<std::string>();
  for (size_t i = all.size(); i-- > 0 && steps_of(all[i]) > step;) remove_directory(all[i]);
  open(config, step);
}

void RunDirectory::started(const Json& start) const {
  const std::string path = join_path(path_, kStarts);
  const int64_t step = start.count_at("step", path);
  std::string lines;
  if (exists(path)) {
    read_metrics(path, [&](const Json& line) {
      const Json* const earlier = line.find("step");
      if (earlier && earlier->is_int() && earlier->as_int(path) < step) lines += line.dump() + "\n";
    });
  }
  write_file(path, lines + start.dump() + "\n");
}

void RunDirectory::log(const Json& line) {
  metrics_->write(line);
  if (tensorboard_) tensorboard_->scalars(line);
}

void RunDirectory::sample(int64_t step, const std::string& text) {
  append_to_file(join_path(path_, "samples.txt"),
                 std::string(kSample) + std::to_string(step) + "\n" + text + "\n");
  if (tensorboard_) tensorboard_->sample(step, text);
}

void RunDirectory::project(const Parameter& table, const Tokenizer* tokenizer) const {
  if (tensorboard_) write_projector(path_, "projector", table.name, table.value, tokenizer);
}

std::string RunDirectory::checkpoint(int64_t step) const {
  return checkpoint_path(path_, step);
}

std::string RunDirectory::best() const {
  return best_path(path_);
}

void RunDirectory::prune_checkpoints() const {
  if (keep_checkpoints_ == 0) return;
  const std::vector<std::string> all = list_checkpoints(path_);
  const size_t keep = static_cast<size_t>(keep_checkpoints_);
  for (size_t i = 0; i + keep < all.size(); ++i) remove_directory(all[i]);
}

}  // namespace cria
