#include "train/init_from.h"

#include <algorithm>
#include <vector>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/exchange/load_model.h"
#include "cria/exchange/model_directory.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "cria/train/checkpoint.h"
#include "exchange/matrix_file.h"
#include "train/run_config_keys.h"

namespace cria {
namespace {

// The keys that decide which tensors there are, their shapes, and what their numbers mean.
std::vector<std::string> decided_by_weights(const ModelConfig& init_from) {
  std::vector<std::string> names = {
      "vocab_size",        "hidden_size",         "intermediate_size",
      "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
      "head_dim",          "tie_word_embeddings", "attention_bias",
      "mlp_bias",          "embedding_norm",      "position"};
  if (init_from.position == "learned") names.push_back("max_position_embeddings");
  if (init_from.position == "t5") {
    names.insert(names.end(), {"relative_attention_num_buckets", "relative_attention_max_distance",
                               "relative_attention_per_layer"});
  }
  if (init_from.position == "deberta") {
    names.insert(names.end(), {"max_relative_positions", "position_buckets"});
  }
  return names;
}

const Key& find_key(const std::vector<Key>& keys, const std::string& name) {
  return *std::ranges::find(keys, "model." + name, &Key::name);
}

// Whether a key leaves its value to be derived: it is then taken from the model.
bool is_open(const Key& key) {
  int64_t* const* const number = std::get_if<int64_t*>(&key.field);
  return number && **number == 0 && key.may_derive;
}

// The rows of model.embedding.pretrained, of the table's shape.
Matrix read_pretrained(const RunConfig& config, const Embedding& table) {
  const std::string& file = config.model.embedding_pretrained;
  Matrix matrix = read_matrix(file);
  const Tensor rows(matrix.values.data(), {matrix.rows, matrix.columns});
  if (rows.shape == table.weight->value.shape) return matrix;
  throw Error("a table of another shape",
              {.where = config.source + ": model.embedding.pretrained",
               .expected = "[vocab_size, hidden_size] = " + table.weight->value.to_string(),
               .got = rows.to_string() + " in " + file,
               .hint = "choose model.vocab_size (the tokenizer's, unless given) and "
                       "model.hidden_size as the file has them"});
}

}  // namespace

std::string init_from_directory(const TrainConfig& train, bool resume) {
  if (resume) {
    const std::vector<std::string> checkpoints = list_checkpoints(train.output_dir);
    if (!checkpoints.empty()) return checkpoints.back();
  }
  return find_model_directory(train.init_from);
}

ModelConfig init_from_config(const std::string& directory) {
  ModelConfig config = read_model_config(directory);
  config.embedding.padding_idx.reset();  // pad_token_id says it, until a key says otherwise
  return config;
}

void settle_init_from(RunConfig& config, const ModelConfig& init_from,
                      const std::function<std::string(const std::string&)>& place) {
  RunConfig theirs;
  theirs.model = init_from;
  const std::vector<Key> given = keys_of(config), wanted = keys_of(theirs);
  for (const std::string& name : decided_by_weights(init_from)) {
    const Key& key = find_key(given, name);
    const TomlValue value = value_of(find_key(wanted, name));
    if (is_open(key)) assign(key, value, config.source);
    if (value_of(key) == value) continue;
    throw Error(key.name + ": the weights of train.init_from are of another model",
                {.where = place(key.name),
                 .expected = dump_toml(value) + ", as in " + config.init_from,
                 .got = dump_toml(value_of(key)),
                 .hint = name != "tie_word_embeddings" ? "leave it out to take the model's"
                         : init_from.tie_word_embeddings
                             ? "train.untie_at_step = 1 makes the head a tensor of its own"
                             : kNoTying});
  }
  ModelConfig& model = config.model;
  if (model.embedding.padding_idx && model.pad_token_id == init_from.pad_token_id) {
    model.pad_token_id = -1;
  }
  if (model.max_position_embeddings == 0) {
    model.max_position_embeddings = init_from.max_position_embeddings;
  }
  // A scaling that is new scales from the positions that the model was trained on.
  if (model.rope_scaling.original_max_position_embeddings == 0) {
    model.rope_scaling.original_max_position_embeddings = init_from.max_position_embeddings;
  }
  if (config.data.sequence_length > model.max_position_embeddings) {
    throw Error("data.sequence_length: longer than the positions of the model of train.init_from",
                {.where = place("data.sequence_length"),
                 .expected = "at most " + std::to_string(model.max_position_embeddings) +
                             ", as in " + config.init_from,
                 .got = std::to_string(config.data.sequence_length),
                 .hint = "give a larger model.max_position_embeddings; with RoPE, "
                         "model.rope_scaling helps"});
  }
}

std::unique_ptr<Tokenizer> read_run_tokenizer(const RunConfig& config) {
  std::unique_ptr<Tokenizer> of_model, of_data;
  if (!config.init_from.empty() && has_tokenizer(config.init_from)) {
    of_model = read_tokenizer(config.init_from);
  }
  if (config.data.tokenizer.empty()) return of_model;
  of_data = read_tokenizer(config.data.tokenizer);
  if (!of_model) return of_data;
  const int64_t size = std::max(of_model->vocab_size(), of_data->vocab_size());
  const auto text = [](const Tokenizer& tokenizer, int64_t id) {
    if (id >= tokenizer.vocab_size()) return std::string("no token");
    return quote(tokenizer.token(static_cast<int32_t>(id)));
  };
  for (int64_t id = 0; id < size; ++id) {
    const std::string expected = text(*of_model, id), got = text(*of_data, id);
    if (expected == got) continue;
    throw Error("not the tokenizer of the model that train.init_from names",
                {.where = config.data.tokenizer + ": token " + std::to_string(id),
                 .expected = expected + ", as in " + config.init_from,
                 .got = got,
                 .hint = "prepare the text with --tokenizer " + config.init_from});
  }
  return of_data;
}

ModelConfig resolve_model(const RunConfig& config, const Tokenizer* tokenizer) {
  ModelConfig model = config.model;
  if (tokenizer && model.vocab_size == 0) model.vocab_size = tokenizer->vocab_size();
  if (tokenizer && model.vocab_size < tokenizer->vocab_size()) {
    throw Error("smaller than the tokenizer's vocabulary",
                {.where = config.source + ": model.vocab_size",
                 .expected = "at least " + std::to_string(tokenizer->vocab_size()) + " (" +
                             config.data.tokenizer + ")",
                 .got = std::to_string(model.vocab_size),
                 .hint = "leave it out to take the tokenizer's"});
  }
  if (config.train.untie_at_step > 0 && !model.tie_word_embeddings) {
    throw Error("the head is a tensor of its own from the start",
                {.where = config.source + ": train.untie_at_step",
                 .expected = "0, or model.tie_word_embeddings = true",
                 .got = std::to_string(config.train.untie_at_step)});
  }
  return resolved(model, config.data.sequence_length, config.source + ": model.");
}

void set_initial_weights(const RunConfig& config, Llama& model) {
  model.initialize(static_cast<uint64_t>(config.train.seed));
  if (!config.init_from.empty()) read_weights(config.init_from, model);
  if (config.model.embedding_pretrained.empty()) return;
  const Matrix matrix = read_pretrained(config, model.embed_tokens());
  model.embed_tokens().load_pretrained({matrix.values.data(), {matrix.rows, matrix.columns}});
}

void require_pretrained_shape(const RunConfig& config, const Embedding& table) {
  if (!config.model.embedding_pretrained.empty()) read_pretrained(config, table);
}

}  // namespace cria
