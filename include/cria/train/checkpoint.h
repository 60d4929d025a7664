// Checkpoints: model directories (see exchange/model_directory) with optimizer.safetensors and
// trainer.json, to go on from.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>

#include "cria/base/json.h"
#include "cria/model/llama.h"
#include "cria/text/tokenizer.h"

namespace cria {

// Why a tied model does not go on from an untied one.
inline constexpr const char* kNoTying =
    "embedding and head have grown apart: as one tensor, one of them would be lost";

// Where training stands, besides the four planes. The order of the data and all random numbers are
// functions of the seed and these counters.
struct TrainingState {
  struct Best {
    int64_t step = 0;  // 0: there has been no evaluation
    double loss = std::numeric_limits<double>::infinity();
    int64_t evaluations_since = 0;
  };

  int64_t step = 0;
  int64_t tokens = 0;
  uint64_t windows = 0;  // position in the data, see Batches
  double seconds = 0;    // training time
  Json data = {};        // what the position refers to; must be the same on resume
  Best best = {};        // validation loss so far
};

// A hash of all weights and their names, as 16 hexadecimal digits: two runs that give the same have
// the same weights, whatever files they are in.
std::string fingerprint(const Parameters& parameters);

// Puts AdamW's m, or v if `second`, of places [offset, offset + count) of the planes at out.
using MomentReader = std::function<void(bool second, int64_t offset, int64_t count, float* out)>;

// Writes path completely or not at all. tokenizer may be null. segments: what the next step will
// remember, if anything. generation: as write_model_directory takes it. moments: where they are not
// all in the model's planes.
void save_checkpoint(const std::string& path, const Llama& model, const Tokenizer* tokenizer,
                     const TrainingState& state, std::span<SegmentMemory> segments = {},
                     const Json& generation = {}, const MomentReader& moments = {});

// The weights alone, as path, in place of what may be there: the model of state.best.
void save_best(const std::string& path, const Llama& model, const Tokenizer* tokenizer,
               const TrainingState& state, const Json& generation = {});
// What a crash in the middle of that left becomes whole or goes.
void mend_best(const std::string& path);

// Reads everything back into a model of the same architecture. Error naming the file and the first
// difference; the weights are then unchanged.
TrainingState load_checkpoint(const std::string& path, Llama& model,
                              std::span<SegmentMemory> segments = {});

}  // namespace cria
