// Model directories: config.json, generation_config.json, model.safetensors and the tokenizer's
// files (see text/tokenizer_files) as Hugging Face has them, and in a checkpoint also
// optimizer.safetensors and trainer.json.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "cria/base/json.h"
#include "cria/model/llama.h"
#include "cria/text/tokenizer.h"

namespace cria {

// Where training stands, besides the four planes. The order of the data and all random numbers are
// functions of the seed and these counters.
struct TrainingState {
  int64_t step = 0;
  int64_t tokens = 0;
  uint64_t windows = 0;  // position in the data, see Batches
  double seconds = 0;    // training time
  Json data = {};        // what the position refers to; must be the same on resume
};

// Writes path completely or not at all. tokenizer may be null. segments: what the next step will
// remember, if anything.
void save_checkpoint(const std::string& path, const Llama& model, const Tokenizer* tokenizer,
                     const TrainingState& state, std::span<SegmentMemory> segments = {});

// Reads everything back into a model of the same architecture. Error naming the file and the first
// difference; the weights are then unchanged.
TrainingState load_checkpoint(const std::string& path, Llama& model,
                              std::span<SegmentMemory> segments = {});

// run/checkpoints/step-XXXXXXXX
std::string checkpoint_path(const std::string& run, int64_t step);
// The checkpoints of a run directory, oldest first.
std::vector<std::string> list_checkpoints(const std::string& run);

struct LoadedModel {
  std::string directory;
  std::unique_ptr<Llama> model;
  std::unique_ptr<Tokenizer> tokenizer;  // null when the directory has none
  std::vector<int32_t> end_tokens = {};  // what the model's files say ends a text
  int64_t step = 0;                      // of its training; 0 when nothing says
};

// path: a model directory, or a run (its latest checkpoint).
LoadedModel load_model(const std::string& path);

// Error naming the directory when the model has none.
const Tokenizer& require_tokenizer(const LoadedModel& loaded);

}  // namespace cria
