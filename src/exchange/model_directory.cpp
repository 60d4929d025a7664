#include "cria/exchange/model_directory.h"

#include <optional>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "exchange/checkpoint_files.h"
#include "exchange/parameter_file.h"
#include "model/config_json.h"

namespace cria {
namespace {

constexpr const char* kConfig = "config.json";
constexpr const char* kGeneration = "generation_config.json";
constexpr const char* kWeights = "model.safetensors";

// Those that are there; -1 occurs in old files and means none.
Json special_token_ids(const Json& json) {
  Json ids = Json::Object{};
  for (const char* const key : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
    const Json* const id = json.find(key);
    if (id && !id->is_null() && *id != Json(-1)) ids.set(key, *id);
  }
  return ids;
}

void add_special_tokens(Json& generation, const SpecialTokens& special) {
  const Json said = special_token_ids(generation);
  const auto set = [&](const char* key, int32_t id) {
    if (id != -1 && !said.find(key)) generation.set(key, id);
  };
  set("bos_token_id", special.bos);
  set("eos_token_id", special.eos);
  set("pad_token_id", special.pad);
}

// eos_token_id is an integer, an array of them, or nothing.
std::vector<int32_t> end_tokens_of(const Json& json, const std::string& path) {
  std::vector<int32_t> ids;
  const Json* const found = json.find("eos_token_id");
  if (!found || found->is_null()) return ids;
  const Json::Array all = found->is_array() ? found->as_array("") : Json::Array{*found};
  for (const Json& id : all) {
    const int64_t value = id.as_int(path + ": eos_token_id");
    if (std::in_range<int32_t>(value)) ids.push_back(static_cast<int32_t>(value));
  }
  return ids;
}

// Weights of before safetensors: a pickle is a program, and never opened.
void require_safetensors(const std::string& directory) {
  const std::string weights = join_path(directory, kWeights);
  const std::string pickle = join_path(directory, "pytorch_model.bin");
  if (exists(weights) || exists(weights + ".index.json")) return;
  if (!exists(pickle) && !exists(pickle + ".index.json")) return;
  throw Error("weights as a pickle, which may hold any program and is not read",
              {.where = pickle,
               .expected = weights,
               .hint = "transformers' save_pretrained makes one from it"});
}

const char* torch_dtype(NumberFormat format) {
  if (format == NumberFormat::f16) return "float16";
  return format == NumberFormat::bf16 ? "bfloat16" : "float32";
}

}  // namespace

bool is_model_directory(const std::string& directory) {
  return exists(join_path(directory, kConfig));
}

ModelConfig read_model_config(const std::string& directory) {
  const std::string path = join_path(directory, kConfig);
  return model_config_from_json(read_json(path), path);
}

Json read_generation(const std::string& directory) {
  const std::string config = join_path(directory, kConfig),
                    path = join_path(directory, kGeneration);
  Json generation;
  if (exists(path)) {
    generation = read_json(path);
    generation.as_object(path);
    end_tokens_of(generation, path);
  }
  const Json said = special_token_ids(generation), others = special_token_ids(read_json(config));
  end_tokens_of(others, config);
  for (const auto& [key, id] : others.as_object(config)) {
    if (!said.find(key)) generation.set(key, id);
  }
  return generation;
}

LoadedModel read_model_directory(const std::string& directory, Precision precision) {
  LoadedModel loaded;
  loaded.directory = directory;
  loaded.model = std::make_unique<Llama>(read_model_config(directory), precision, Planes::none);
  loaded.generation = read_generation(directory);
  loaded.end_tokens = end_tokens_of(loaded.generation, directory);
  if (has_tokenizer(directory)) loaded.tokenizer = read_tokenizer(directory);
  require_safetensors(directory);
  read_weights(directory, *loaded.model);
  return loaded;
}

void read_weights(const std::string& directory, Llama& model) {
  require_whole(directory, CheckpointFiles::weights);
  read_parameters(model.parameters(), kWeightPlanes, directory);
}

void write_model_directory(const std::string& directory, const Llama& model,
                           const Tokenizer* tokenizer, NumberFormat format,
                           const Json& generation) {
  Json about_generation =
      generation.is_null() ? Json::Object{{"_from_model_config", true}} : generation;
  if (tokenizer) add_special_tokens(about_generation, tokenizer->special_tokens());
  Json config = to_json(model.config());
  const Json ids = special_token_ids(about_generation);
  // pad is left out: in config.json it would be a padding row, see nn/embedding.
  for (const char* const key : {"bos_token_id", "eos_token_id"}) {
    if (const Json* const id = ids.find(key)) config.set(key, *id);
  }
  config.set("torch_dtype", torch_dtype(format));
  // The weights first: in F16 some may be out of range, and then nothing is left behind.
  write_parameters(model.parameters(), kWeightPlanes, join_path(directory, kWeights), format);
  write_file(join_path(directory, kConfig), config.dump(2) + "\n");
  write_file(join_path(directory, kGeneration), about_generation.dump(2) + "\n");
  if (tokenizer) {
    write_tokenizer_files(directory, *tokenizer, model.config().max_position_embeddings);
  }
}

void require_llama(const ModelConfig& config, const std::string& where) {
  const std::optional<LlamaDifference> difference = difference_from_llama(config);
  if (!difference) return;
  throw Error("other programs do not know this as a Llama",
              {.where = where + ": model." + difference->key,
               .expected = difference->expected,
               .got = difference->got,
               .hint = "the formats npy, npz and tsv hold the weights of any model"});
}

const Tokenizer& require_tokenizer(const LoadedModel& loaded) {
  if (loaded.tokenizer) return *loaded.tokenizer;
  throw Error("this needs a tokenizer, and there is none here", {.where = loaded.directory});
}

}  // namespace cria
