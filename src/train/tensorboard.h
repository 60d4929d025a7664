// What TensorBoard shows of a run: `tensorboard --logdir runs/NAME`.
#pragma once

#include <span>
#include <string>

#include "cria/base/json.h"
#include "io/tfevents.h"
#include "train/part_norms.h"

namespace cria {

// Events in the run's directory.
class TensorBoardLog {
 public:
  // Events of steps after `step` are dropped: a resumed run writes them again.
  TensorBoardLog(const std::string& run, int64_t step);

  // A line of metrics.jsonl: "loss" becomes "loss/train", "val_loss" "loss/val", and so on.
  void scalars(const Json& line);
  // "weight_norm/PART", "update_norm/PART"
  void norms(int64_t step, std::span<const PartNorms> parts);
  void sample(int64_t step, const std::string& text);

 private:
  EventLog events_;
};

}  // namespace cria
