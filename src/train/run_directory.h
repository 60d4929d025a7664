// The directory of a run: lock, config.toml, starts, metrics, samples, TensorBoard's events,
// checkpoints.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cria/base/file.h"
#include "cria/base/json.h"
#include "cria/tensor/parameters.h"
#include "cria/text/tokenizer.h"
#include "cria/train/metrics.h"
#include "cria/train/run_config.h"
#include "train/tensorboard.h"

namespace cria {

inline constexpr const char* kStarts = "starts.jsonl";  // what the run is made with, see run_start

// Whether something that happens every so many steps happens after this one; every 0: never.
inline bool is_due(int64_t step, int64_t every) {
  return every > 0 && step % every == 0;
}

// The step of a line of samples.txt that begins a sample; nothing for other lines.
std::optional<int64_t> sample_step(std::string_view line);

class RunDirectory {
 public:
  // Makes nothing yet, and of several processes with one run the one that leads makes and writes
  // all: the others may ask what is there, and open() it. Error when another process trains there,
  // and, without resume, when it holds a run already, with resume, when it has checkpoints and none
  // is whole.
  RunDirectory(const std::string& path, bool resume, bool leads = true);

  // The checkpoint to go on from, the latest that is whole; "" for a new run, and one that has none
  // yet. Steps that are done again have the same bits.
  const std::string& resumed() const { return resumed_; }
  // The text of its config.toml before open(); "" where there is none.
  std::string earlier_config() const;
  // What was found damaged, and what became of it.
  const std::vector<std::string>& warnings() const { return warnings_; }

  // Makes the directory and its files, before all that follows; damaged checkpoints are renamed.
  // Lines, samples and events of steps after `step` are dropped: a resumed run writes them again.
  void open(const RunConfig& config, int64_t step);

  // The same for a run that goes back to that step: its later checkpoints are removed too.
  void go_back(const RunConfig& config, int64_t step);

  // A line of starts.jsonl, see run_start. Those of its step and later ones are dropped.
  void started(const Json& start) const;
  void log(const Json& line);  // of metrics.jsonl
  void sample(int64_t step, const std::string& text);

  // Norms and the embedding table are for TensorBoard alone.
  bool wants_norms(int64_t step) const { return is_due(step, norms_every_); }
  void norms(int64_t step, std::span<const PartNorms> parts) { tensorboard_->norms(step, parts); }
  void project(const Parameter& table, const Tokenizer* tokenizer) const;

  // Waits until what was logged is on the disk: a checkpoint is never ahead of it.
  void sync() const { sync_files(path_); }

  std::string checkpoint(int64_t step) const;  // its path
  std::string best() const;                    // the same of the best
  // Removes all but the last train.keep_checkpoints.
  void prune_checkpoints() const;

 private:
  void take_lock();
  void trim_samples(int64_t step) const;
  void find_whole(const std::vector<std::string>& checkpoints);

  bool leads_;
  std::string path_, resumed_;
  std::vector<std::string> damaged_;  // checkpoints after the one to go on from
  std::vector<std::string> warnings_;
  int64_t norms_every_ = 0, keep_checkpoints_ = 0;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<MetricsLog> metrics_;
  std::unique_ptr<TensorBoardLog> tensorboard_;  // with log.tensorboard
};

}  // namespace cria
