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
#include "cria/text/tokenizer_files.h"

namespace cria {
namespace {

constexpr const char* kConfig = "config.json";
constexpr const char* kGeneration = "generation_config.json";
constexpr const char* kWeights = "model.safetensors";
constexpr const char* kOptimizer = "optimizer.safetensors";
constexpr const char* kTrainer = "trainer.json";
constexpr const char* kSegments = "segments.safetensors";

const std::array<PlaneName, 1> kWeightPlanes = {{{"", &Parameter::value}}};
// PyTorch's names for AdamW's state.
const std::array<PlaneName, 2> kOptimizerPlanes = {
    {{"exp_avg.", &Parameter::m}, {"exp_avg_sq.", &Parameter::v}}};

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
  std::vector<NamedTensor> tensors;
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
  for (const SafetensorsFile::Entry& entry : file.entries()) {
    if (entry.shape.size() == 3) length = std::min(entry.shape[1], model.memory_length);
  }
  for (SegmentMemory& memory : segments) memory.set_length(length);
  const std::vector<NamedMemory> memories = named_memories(segments, model);
  for (const NamedMemory& memory : memories) file.require(memory.name, memory.tensor);
  for (const NamedMemory& memory : memories) file.read(memory.name, memory.tensor);
}

// Throws unless the checkpoint's architecture is the model's, naming the first key that differs.
void require_same_architecture(const std::string& path, const ModelConfig& model) {
  const Json wanted = to_json(model);
  const Json found = to_json(model_config_from_json(read_json(path), path));
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

// config.json, and generation_config.json, which Hugging Face asks for the ids of special tokens.
void write_configs(const std::string& directory, const ModelConfig& model,
                   const Tokenizer* tokenizer) {
  const SpecialTokens special = tokenizer ? tokenizer->special_tokens() : SpecialTokens();
  Json config = to_json(model);
  Json generation = Json::Object{{"_from_model_config", true}};
  const auto set = [](Json& json, const char* key, int32_t id) {
    if (id != -1) json.set(key, id);
  };
  for (Json* const json : {&config, &generation}) {
    set(*json, "bos_token_id", special.bos);
    set(*json, "eos_token_id", special.eos);
  }
  // In config.json it would be the padding row of the embedding table, see nn/embedding.
  set(generation, "pad_token_id", special.pad);
  write_file(join_path(directory, kConfig), config.dump(2) + "\n");
  write_file(join_path(directory, kGeneration), generation.dump(2) + "\n");
}

// The ids that end a text: an integer, an array of them, or nothing, in generation_config.json or
// else in config.json.
std::vector<int32_t> read_end_tokens(const std::string& directory) {
  std::vector<int32_t> ids;
  for (const char* const name : {kGeneration, kConfig}) {
    const std::string path = join_path(directory, name);
    if (!exists(path)) continue;
    const Json json = read_json(path);
    const Json* const found = json.find("eos_token_id");
    if (!found || found->is_null()) continue;
    const Json::Array all = found->is_array() ? found->as_array("") : Json::Array{*found};
    for (const Json& id : all) {
      const int64_t value = id.as_int(path + ": eos_token_id");
      if (std::in_range<int32_t>(value)) ids.push_back(static_cast<int32_t>(value));
    }
    break;
  }
  return ids;
}

}  // namespace

void save_checkpoint(const std::string& path, const Llama& model, const Tokenizer* tokenizer,
                     const TrainingState& state, std::span<SegmentMemory> segments) {
  AtomicDirectory directory(path);
  const auto file = [&](const char* name) { return join_path(directory.path(), name); };
  write_configs(directory.path(), model.config(), tokenizer);
  write_parameters(model.parameters(), kWeightPlanes, file(kWeights));
  if (tokenizer) {
    write_tokenizer_files(directory.path(), *tokenizer, model.config().max_position_embeddings);
  }
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
  require_same_architecture(join_path(path, kConfig), model.config());
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
  read_parameters(model.parameters(), kWeightPlanes, join_path(path, kWeights));
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

LoadedModel load_model(const std::string& path) {
  LoadedModel loaded;
  loaded.directory = path;
  if (!exists(join_path(path, kConfig))) {
    const std::vector<std::string> checkpoints = list_checkpoints(path);
    if (checkpoints.empty()) {
      throw Error("no model here",
                  {.where = path,
                   .expected = "a model directory (config.json, model.safetensors), or a run "
                               "directory with checkpoints",
                   .got = exists(path) ? "neither" : "no such directory",
                   .hint = "'cria train' makes a run"});
    }
    loaded.directory = checkpoints.back();
  }
  const std::string config = join_path(loaded.directory, kConfig);
  loaded.model = std::make_unique<Llama>(model_config_from_json(read_json(config), config));
  read_parameters(loaded.model->parameters(), kWeightPlanes, join_path(loaded.directory, kWeights));
  if (has_tokenizer(loaded.directory)) loaded.tokenizer = read_tokenizer(loaded.directory);
  loaded.end_tokens = read_end_tokens(loaded.directory);
  const std::string trainer = join_path(loaded.directory, kTrainer);
  if (exists(trainer)) loaded.step = count_at(read_json(trainer), "step", trainer);
  return loaded;
}

const Tokenizer& require_tokenizer(const LoadedModel& loaded) {
  if (loaded.tokenizer) return *loaded.tokenizer;
  throw Error("no tokenizer here, so no text", {.where = loaded.directory});
}

}  // namespace cria
