#include "cria/train/checkpoint.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

#include "base/checksum.h"
#include "base/replace_directory.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/exchange/load_model.h"
#include "exchange/checkpoint_files.h"
#include "exchange/parameter_file.h"
#include "io/safetensors.h"
#include "model/config_json.h"

namespace cria {
namespace {

constexpr const char* kOptimizer = "optimizer.safetensors";
constexpr const char* kSegments = "segments.safetensors";

constexpr const char* kFrozen = "frozen";  // names of parameters that have no optimizer state
constexpr const char* kBest = "best";

// PyTorch's names for AdamW's state.
std::array<PlaneName, 2> optimizer_planes(const std::set<std::string>& without) {
  return {{{"exp_avg.", StoredPlane::m, &without}, {"exp_avg_sq.", StoredPlane::v, &without}}};
}

std::set<std::string> frozen_names(const Parameters& parameters) {
  std::set<std::string> names;
  for (const Parameter& slot : parameters.slots()) {
    if (slot.frozen) names.insert(slot.name);
  }
  return names;
}

TrainingState::Best best_from(const Json& json, const std::string& where) {
  return {.step = json.count_at("step", where),
          .loss = json.at("val_loss", where).as_double(where + ": val_loss"),
          .evaluations_since = json.count_at("evaluations_since", where)};
}

struct NamedMemory {
  std::string name;
  Tensor tensor;  // [B, length, C]
};

// The memory of each micro-batch and layer, under the name that the file has for it.
std::vector<NamedMemory> named_memories(std::span<SegmentMemory> segments,
                                        const ModelConfig& model) {
  std::vector<NamedMemory> all;
  for (size_t micro = 0; micro < segments.size(); ++micro) {
    for (int64_t layer = 0; layer < model.num_hidden_layers; ++layer) {
      all.push_back({"micro_batches." + std::to_string(micro) + ".layers." + std::to_string(layer),
                     segments[micro].layer(layer)});
    }
  }
  return all;
}

void write_segments(const std::string& path, std::span<SegmentMemory> segments,
                    const ModelConfig& model) {
  std::vector<TensorSource> tensors;
  for (const NamedMemory& memory : named_memories(segments, model)) {
    tensors.push_back({memory.name, memory.tensor});
  }
  write_safetensors(path, std::move(tensors));
}

void read_segments(const std::string& path, std::span<SegmentMemory> segments,
                   const ModelConfig& model) {
  const SafetensorsFile file(path);
  // All are of one length; reading compares the whole shapes.
  int64_t length = 0;
  for (const StoredTensor& entry : file.entries()) {
    if (entry.shape.size() == 3) length = std::min(entry.shape[1], model.memory_length);
  }
  for (SegmentMemory& memory : segments) memory.set_length(length);
  const std::vector<NamedMemory> memories = named_memories(segments, model);
  for (const NamedMemory& memory : memories) file.require(memory.name, memory.tensor);
  for (const NamedMemory& memory : memories) file.read(memory.name, memory.tensor);
}

// Throws unless the checkpoint's architecture is the model's, naming the first key that differs.
void require_same_architecture(const std::string& checkpoint, const ModelConfig& model) {
  const std::string path = join_path(checkpoint, "config.json");
  const Json wanted = to_json(model);
  const Json found = to_json(read_model_config(checkpoint));
  for (const auto& [key, value] : wanted.as_object(path)) {
    const Json* other = found.find(key);
    if (!other || !(*other == value)) {
      throw Error("the checkpoint is of another architecture",
                  {.where = path + ": " + key,
                   .expected = value.dump() + " (as the config says)",
                   .got = other ? other->dump() : "nothing",
                   .hint = key == "tie_word_embeddings" && model.tie_word_embeddings
                               ? kNoTying
                               : "resume with the config the run was started with, or give another "
                                 "train.output_dir"});
    }
  }
}

std::string next_of(const std::string& path) {
  return path + ".next";
}

// trainer.json last: it has the checksums of all other files.
void finish(AtomicDirectory& directory, Json json, const Llama& model) {
  json.set("fingerprint", fingerprint(model.parameters()));
  add_checksums(json, directory.path());
  write_file(join_path(directory.path(), kTrainerFile), json.dump(2) + "\n");
  directory.commit();
}

}  // namespace

std::string fingerprint(const Parameters& parameters) {
  std::string all;
  for (const Parameter& slot : parameters.slots()) {
    const std::string_view bytes(reinterpret_cast<const char*>(slot.value.data),
                                 static_cast<size_t>(slot.value.size()) * sizeof(float));
    all += slot.name + " " + checksum(bytes) + "\n";
  }
  return checksum(all);
}

void save_checkpoint(const std::string& path, const Llama& model, const Tokenizer* tokenizer,
                     const TrainingState& state, std::span<SegmentMemory> segments,
                     const Json& generation, const MomentReader& moments) {
  AtomicDirectory directory(path);
  const auto file = [&](const char* name) { return join_path(directory.path(), name); };
  write_model_directory(directory.path(), model, tokenizer, NumberFormat::f32, generation);
  const std::set<std::string> frozen = frozen_names(model.parameters());
  PlaneReader read;
  if (moments) {
    read = [&](StoredPlane plane, int64_t offset, int64_t count, float* out) {
      moments(plane == StoredPlane::v, offset, count, out);
    };
  }
  write_parameters(model.parameters(), optimizer_planes(frozen), file(kOptimizer),
                   NumberFormat::f32, read);
  if (!segments.empty()) write_segments(file(kSegments), segments, model.config());
  Json json = Json::Object{{"step", state.step},
                           {"tokens", state.tokens},
                           {"windows", state.windows},
                           {"seconds", state.seconds},
                           {"data", state.data}};
  if (state.best.step > 0) {
    json.set(kBest, Json::Object{{"step", state.best.step},
                                 {"val_loss", state.best.loss},
                                 {"evaluations_since", state.best.evaluations_since}});
  }
  if (!frozen.empty()) json.set(kFrozen, Json::Array(frozen.begin(), frozen.end()));
  finish(directory, std::move(json), model);
}

void save_best(const std::string& path, const Llama& model, const Tokenizer* tokenizer,
               const TrainingState& state, const Json& generation) {
  mend_best(path);
  AtomicDirectory directory(next_of(path));
  write_model_directory(directory.path(), model, tokenizer, NumberFormat::f32, generation);
  finish(directory,
         Json::Object{
             {"step", state.best.step}, {"tokens", state.tokens}, {"val_loss", state.best.loss}},
         model);
  replace_directory(next_of(path), path);
}

void mend_best(const std::string& path) {
  finish_replacing(next_of(path), path);
}

TrainingState load_checkpoint(const std::string& path, Llama& model,
                              std::span<SegmentMemory> segments) {
  require_whole(path, CheckpointFiles::all);
  require_same_architecture(path, model.config());
  const std::string trainer = join_path(path, kTrainerFile);
  const Json json = read_json(trainer);
  TrainingState state;
  state.step = json.count_at("step", trainer);
  state.tokens = json.count_at("tokens", trainer);
  state.windows = static_cast<uint64_t>(json.count_at("windows", trainer));
  state.seconds = json.at("seconds", trainer).as_double(trainer + ": seconds");
  state.data = json.at("data", trainer);
  if (const Json* const best = json.find(kBest)) state.best = best_from(*best, trainer);
  std::set<std::string> frozen;
  if (const Json* const names = json.find(kFrozen)) {
    const std::string where = trainer + ": " + kFrozen;
    for (const Json& name : names->as_array(where)) frozen.insert(name.as_string(where));
  }
  if (!segments.empty()) read_segments(join_path(path, kSegments), segments, model.config());
  // The optimizer's first: its Error leaves the weights alone too.
  read_parameters(model.parameters(), optimizer_planes(frozen), join_path(path, kOptimizer));
  read_parameters(model.parameters(), kWeightPlanes, path);
  return state;
}

}  // namespace cria
