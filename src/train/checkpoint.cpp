#include "cria/train/checkpoint.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/io/parameter_file.h"
#include "cria/io/safetensors.h"
#include "cria/model/config_json.h"

namespace cria {
namespace {

constexpr const char* kOptimizer = "optimizer.safetensors";
constexpr const char* kTrainer = "trainer.json";
constexpr const char* kSegments = "segments.safetensors";

// PyTorch's names for AdamW's state.
const std::array<PlaneName, 2> kOptimizerPlanes = {
    {{"exp_avg.", StoredPlane::m}, {"exp_avg_sq.", StoredPlane::v}}};

Json read_json(const std::string& path) {
  return Json::parse(read_file(path), path);
}

const Json& value_at(const Json& json, const char* key, const std::string& path) {
  const Json* value = json.find(key);
  if (!value) throw Error("missing", {.where = path + ": " + key});
  return *value;
}

int64_t count_at(const Json& json, const char* key, const std::string& path) {
  const int64_t value = value_at(json, key, path).as_int(path + ": " + key);
  if (value < 0) {
    throw Error("negative", {.where = path + ": " + key, .got = std::to_string(value)});
  }
  return value;
}

struct NamedMemory {
  std::string name;
  Tensor tensor;  // [B, length, C]
};

// Of each micro-batch and layer.
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
                   .hint = "resume with the config the run was started with, or give another "
                           "train.output_dir"});
    }
  }
}

}  // namespace

void save_checkpoint(const std::string& path, const Llama& model, const Tokenizer* tokenizer,
                     const TrainingState& state, std::span<SegmentMemory> segments,
                     const Json& generation) {
  AtomicDirectory directory(path);
  const auto file = [&](const char* name) { return join_path(directory.path(), name); };
  write_model_directory(directory.path(), model, tokenizer, NumberFormat::f32, generation);
  write_parameters(model.parameters(), kOptimizerPlanes, file(kOptimizer));
  if (!segments.empty()) write_segments(file(kSegments), segments, model.config());
  Json json;
  json.set("step", state.step);
  json.set("tokens", state.tokens);
  json.set("windows", state.windows);
  json.set("seconds", state.seconds);
  json.set("data", state.data);
  write_file(file(kTrainer), json.dump(2) + "\n");
  directory.commit();
}

TrainingState load_checkpoint(const std::string& path, Llama& model,
                              std::span<SegmentMemory> segments) {
  require_same_architecture(path, model.config());
  const std::string trainer = join_path(path, kTrainer);
  const Json json = read_json(trainer);
  TrainingState state;
  state.step = count_at(json, "step", trainer);
  state.tokens = count_at(json, "tokens", trainer);
  state.windows = static_cast<uint64_t>(count_at(json, "windows", trainer));
  state.seconds = value_at(json, "seconds", trainer).as_double(trainer + ": seconds");
  state.data = value_at(json, "data", trainer);
  if (!segments.empty()) read_segments(join_path(path, kSegments), segments, model.config());
  // The optimizer's first: its Error leaves the weights alone too.
  read_parameters(model.parameters(), kOptimizerPlanes, join_path(path, kOptimizer));
  read_weights(path, model);
  return state;
}

std::string checkpoint_path(const std::string& run, int64_t step) {
  std::array<char, 32> name;
  std::snprintf(name.data(), name.size(), "step-%08lld", static_cast<long long>(step));
  return join_path(join_path(run, "checkpoints"), name.data());
}

std::vector<std::string> list_checkpoints(const std::string& run) {
  std::vector<std::string> found;
  std::error_code missing;
  for (const auto& entry :
       std::filesystem::directory_iterator(join_path(run, "checkpoints"), missing)) {
    const std::string name = entry.path().filename().string();
    const bool complete =
        name.size() > 5 && name.find_first_not_of("0123456789", 5) == std::string::npos;
    if (name.starts_with("step-") && complete) found.push_back(entry.path().string());
  }
  // By number: the names grow when steps pass eight digits.
  std::ranges::sort(found, [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  return found;
}

std::string find_model_directory(const std::string& path) {
  if (is_model_directory(path)) return path;
  const std::vector<std::string> checkpoints = list_checkpoints(path);
  if (!checkpoints.empty()) return checkpoints.back();
  throw Error("no model here",
              {.where = path,
               .expected = "a model directory (config.json, model.safetensors), or a run "
                           "directory with checkpoints",
               .got = exists(path) ? "neither" : "no such directory",
               .hint = "'cria train' makes a run"});
}

LoadedModel load_model(const std::string& path, Precision precision) {
  LoadedModel loaded = read_model_directory(find_model_directory(path), precision);
  const std::string trainer = join_path(loaded.directory, kTrainer);
  if (exists(trainer)) loaded.step = count_at(read_json(trainer), "step", trainer);
  return loaded;
}

}  // namespace cria
