// MODEL of the command line: a model directory, or a run, which stands for its latest checkpoint;
// RUN@best and RUN@step-300 are others of its checkpoints.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cria/exchange/model_directory.h"

namespace cria {

// What a checkpoint has besides a model directory's files: the step, and what training goes on
// from.
inline constexpr const char* kTrainerFile = "trainer.json";

// run/checkpoints/step-XXXXXXXX
std::string checkpoint_path(const std::string& run, int64_t step);
// run/checkpoints/best: the model with the lowest validation loss so far. Training does not go on
// from it: it is weights alone.
std::string best_path(const std::string& run);
// The checkpoints of a run directory, oldest first; the best is none of them.
std::vector<std::string> list_checkpoints(const std::string& run);

// The checkpoint that RUN, RUN@best or RUN@step-300 names; "" when path is none of these. Error
// when RUN does not have it.
std::string find_checkpoint(const std::string& path);

// The optimizer steps that a checkpoint has behind it.
int64_t steps_of(const std::string& checkpoint);

// path itself when it is a model directory, or else the checkpoint that it names. Error when it is
// neither.
std::string find_model_directory(const std::string& path);

// MODEL of the command line; precision: of its products.
LoadedModel load_model(const std::string& path, Precision precision = Precision::fp32);

}  // namespace cria
