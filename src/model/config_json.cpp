#include "model/config_json.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/number.h"
#include "cria/base/error.h"

namespace cria {
namespace {

// Reads keys that may be missing, null meaning missing, and checks ranges.
class ConfigReader {
 public:
  ConfigReader(const Json& json, const std::string& where) : json_(json), where_(where) {}

  const Json* find(const char* key) const {
    const Json* value = json_.find(key);
    return value && !value->is_null() ? value : nullptr;
  }

  std::string place(const char* key) const { return where_ + ": " + key; }

  int64_t integer(const char* key, int64_t fallback, int64_t least, int64_t most) const {
    const Json* value = find(key);
    const int64_t number = value ? value->as_int(place(key)) : fallback;
    if (number < least || number > most) {
      throw Error("out of range",
                  {.where = place(key),
                   .expected = std::to_string(least) + " to " + std::to_string(most),
                   .got = value ? std::to_string(number) : "nothing"});
    }
    return number;
  }

  double positive(const char* key, double fallback) const {
    const double number = real(key, fallback);
    if (!(number > 0)) out_of_range(key, "a positive number", number);
    return number;
  }

  double not_negative(const char* key, double fallback) const {
    const double number = real(key, fallback);
    if (!(number >= 0)) out_of_range(key, "0.0 or more", number);
    return number;
  }

  double probability(const char* key) const {
    const double number = real(key, 0.0);
    if (!(number >= 0 && number < 1)) out_of_range(key, "0.0 to less than 1.0", number);
    return number;
  }

  bool boolean(const char* key, bool fallback) const {
    const Json* value = find(key);
    return value ? value->as_bool(place(key)) : fallback;
  }

  std::string text(const char* key, const std::string& fallback) const {
    const Json* value = find(key);
    return value ? value->as_string(place(key)) : fallback;
  }

  // The value is there.
  void require(const char* key) const {
    if (!find(key)) throw Error("missing", {.where = place(key)});
  }

  // Refuses any value of a key but this one.
  void require(const char* key, const std::string& wanted) const {
    const std::string got = text(key, wanted);
    if (got != wanted) {
      throw Error(
          "not supported",
          {.where = place(key), .expected = "\"" + wanted + "\"", .got = "\"" + got + "\""});
    }
  }

 private:
  double real(const char* key, double fallback) const {
    const Json* value = find(key);
    return value ? value->as_double(place(key)) : fallback;
  }

  [[noreturn]] void out_of_range(const char* key, const std::string& expected, double got) const {
    throw Error("out of range",
                {.where = place(key), .expected = expected, .got = shortest_double(got)});
  }

  const Json& json_;
  const std::string& where_;
};

constexpr int64_t kMostSize = int64_t{1} << 24;

void require_whole_rotation(const ConfigReader& reader) {
  if (reader.positive("partial_rotary_factor", 1.0) != 1.0) {
    throw Error("not supported",
                {.where = reader.place("partial_rotary_factor"), .expected = "1.0"});
  }
}

// rope_scaling (transformers 4) unless it is empty, else rope_parameters (5), as transformers does.
void read_rope(const ConfigReader& reader, const std::string& where, ModelConfig& c) {
  c.rope_theta = reader.positive("rope_theta", 10000.0);
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const Json* object = reader.find(key);
    if (!object || object->as_object(where + ": " + key).empty()) continue;
    const std::string place = where + ": " + key;
    for (const auto& [name, value] : object->as_object(place)) {
      if (value.is_object()) {
        throw Error("not supported",
                    {.where = place + ": " + name, .expected = "one rotation for all layers"});
      }
    }
    const ConfigReader rope(*object, place);
    require_whole_rotation(rope);
    c.rope_theta = rope.positive("rope_theta", c.rope_theta);
    RopeScaling& scaling = c.rope_scaling;
    const std::string type = rope.text("rope_type", rope.text("type", "default"));
    if (std::ranges::find(rope_types(), type) == rope_types().end()) {
      throw Error("this scaling of RoPE is not supported",
                  {.where = rope.place(rope.find("rope_type") ? "rope_type" : "type"),
                   .expected = one_of(rope_types()),
                   .got = "\"" + type + "\""});
    }
    scaling.rope_type = type;
    if (type == "default") return;
    rope.require("factor");
    scaling.factor = rope.positive("factor", 1.0);
    if (type == "llama3") {
      for (const char* needed :
           {"low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}) {
        rope.require(needed);
      }
      scaling.low_freq_factor = rope.positive("low_freq_factor", 1.0);
      scaling.high_freq_factor = rope.positive("high_freq_factor", 4.0);
    }
    if (type == "yarn") {
      scaling.beta_fast = rope.positive("beta_fast", scaling.beta_fast);
      scaling.beta_slow = rope.positive("beta_slow", scaling.beta_slow);
      scaling.truncate = rope.boolean("truncate", scaling.truncate);
      if (rope.find("attention_factor")) {
        scaling.attention_factor = rope.positive("attention_factor", 1.0);
      }
      scaling.mscale = rope.not_negative("mscale", 0.0);
      scaling.mscale_all_dim = rope.not_negative("mscale_all_dim", 0.0);
    }
    if (type == "llama3" || type == "yarn") {
      scaling.original_max_position_embeddings =
          rope.integer("original_max_position_embeddings", 0, 0, kMostSize);
    }
    return;
  }
}

// The keys of model_type "cria".
void read_cria(const ConfigReader& reader, const std::string& where, ModelConfig& c) {
  c.embedding_scale = reader.positive("embedding_scale", 1.0);
  c.embedding_norm = reader.boolean("embedding_norm", false);
  if (reader.find("embedding_max_norm")) {
    c.embedding.max_norm = reader.not_negative("embedding_max_norm", 0.0);
    const Json* norm_type = reader.find("embedding_norm_type");
    c.embedding.norm_type = norm_type && norm_type->is_string() && norm_type->as_string("") == "inf"
                                ? std::numeric_limits<double>::infinity()
                                : reader.positive("embedding_norm_type", 2.0);
  }
  c.position = reader.text("position", "rope");
  if (c.position == "rope") read_rope(reader, where, c);
  RelativePositionOptions& relative = c.relative;
  if (c.position == "t5") {
    relative.num_buckets = reader.integer("relative_attention_num_buckets", 32, 2, 1 << 16);
    relative.max_distance = reader.integer("relative_attention_max_distance", 128, 2, kMostSize);
    relative.per_layer = reader.boolean("relative_attention_per_layer", false);
  }
  if (c.position == "deberta") {
    relative.max_relative_positions = reader.integer("max_relative_positions", 0, 0, kMostSize);
    relative.position_buckets = reader.integer("position_buckets", 0, 0, kMostSize);
  }
  if (c.position == "transformer_xl") {
    c.memory_length = reader.integer("memory_length", 0, 0, kMostSize);
  }
}

void write_rope(const ModelConfig& c, Json& json) {
  const RopeScaling& scaling = c.rope_scaling;
  Json object;
  object.set("rope_type", scaling.rope_type);
  if (scaling.rope_type != "default") object.set("factor", scaling.factor);
  if (scaling.rope_type == "llama3") {
    object.set("low_freq_factor", scaling.low_freq_factor);
    object.set("high_freq_factor", scaling.high_freq_factor);
    object.set("original_max_position_embeddings", scaling.original_max_position_embeddings);
  }
  if (scaling.rope_type == "yarn") {
    object.set("beta_fast", scaling.beta_fast);
    object.set("beta_slow", scaling.beta_slow);
    object.set("truncate", scaling.truncate);
    if (scaling.attention_factor > 0) object.set("attention_factor", scaling.attention_factor);
    if (scaling.mscale > 0) object.set("mscale", scaling.mscale);
    if (scaling.mscale_all_dim > 0) object.set("mscale_all_dim", scaling.mscale_all_dim);
    // Where it is written some versions of transformers 4 take max_position_embeddings divided by
    // it for the factor; left out, all of them take both as they are meant.
    if (scaling.original_max_position_embeddings != c.max_position_embeddings) {
      object.set("original_max_position_embeddings", scaling.original_max_position_embeddings);
    }
  }
  // transformers 4 reads rope_theta and rope_scaling, 5 reads rope_parameters or the others.
  json.set("rope_theta", c.rope_theta);
  if (scaling.rope_type != "default") json.set("rope_scaling", object);
  object.set("rope_theta", c.rope_theta);
  json.set("rope_parameters", object);
}

void write_cria(const ModelConfig& c, Json& json) {
  json.set("embedding_scale", c.embedding_scale);
  json.set("embedding_norm", c.embedding_norm);
  if (c.embedding.max_norm) {
    const double p = c.embedding.norm_type;
    json.set("embedding_max_norm", *c.embedding.max_norm);
    json.set("embedding_norm_type", std::isinf(p) ? Json("inf") : Json(p));
  }
  json.set("position", c.position);
  if (c.position == "rope") write_rope(c, json);
  if (c.position == "t5") {
    json.set("relative_attention_num_buckets", c.relative.num_buckets);
    json.set("relative_attention_max_distance", c.relative.max_distance);
    json.set("relative_attention_per_layer", c.relative.per_layer);
  }
  if (c.position == "deberta") {
    json.set("max_relative_positions", c.relative.max_relative_positions);
    json.set("position_buckets", c.relative.position_buckets);
  }
  if (c.position == "transformer_xl") json.set("memory_length", c.memory_length);
}

}  // namespace

std::optional<LlamaDifference> difference_from_llama(const ModelConfig& c) {
  if (c.position != "rope") return {{"position", "\"" + c.position + "\"", "\"rope\""}};
  if (c.embedding_scale != 1) {
    return {{"embedding_scale", shortest_double(c.embedding_scale), "\"none\""}};
  }
  if (c.embedding_norm) return {{"embedding_norm", "true", "false"}};
  // Rows that max_norm has not met yet may be longer in the file than cria would look them up.
  if (c.embedding.max_norm) {
    return {{"embedding.max_norm", shortest_double(*c.embedding.max_norm), "\"none\""}};
  }
  // Hugging Face's Llama wants it in spite of a head_dim of its own.
  if (c.hidden_size % c.num_attention_heads != 0) {
    return {{"num_attention_heads", std::to_string(c.num_attention_heads),
             "a divisor of hidden_size = " + std::to_string(c.hidden_size)}};
  }
  return std::nullopt;
}

Json to_json(const ModelConfig& c) {
  const bool is_llama = !difference_from_llama(c);
  Json json;
  json.set("architectures", Json::Array{is_llama ? "LlamaForCausalLM" : "CriaForCausalLM"});
  json.set("model_type", is_llama ? "llama" : "cria");
  json.set("vocab_size", c.vocab_size);
  json.set("hidden_size", c.hidden_size);
  json.set("intermediate_size", c.intermediate_size);
  json.set("num_hidden_layers", c.num_hidden_layers);
  json.set("num_attention_heads", c.num_attention_heads);
  json.set("num_key_value_heads", c.num_key_value_heads);
  json.set("head_dim", c.head_dim);
  json.set("hidden_act", "silu");
  json.set("max_position_embeddings", c.max_position_embeddings);
  json.set("initializer_range", c.initializer_range);
  json.set("rms_norm_eps", c.rms_norm_eps);
  json.set("tie_word_embeddings", c.tie_word_embeddings);
  json.set("attention_bias", c.attention_bias);
  json.set("mlp_bias", c.mlp_bias);
  json.set("attention_dropout", c.attention_dropout);
  // Unknown to Hugging Face, but a trained model is the same without them.
  if (c.embedding_dropout > 0) json.set("embedding_dropout", c.embedding_dropout);
  if (c.residual_dropout > 0) json.set("residual_dropout", c.residual_dropout);
  is_llama ? write_rope(c, json) : write_cria(c, json);
  json.set("bos_token_id", nullptr);
  json.set("eos_token_id", nullptr);
  json.set("pad_token_id", c.pad_token_id < 0 ? Json() : Json(c.pad_token_id));
  json.set("torch_dtype", "float32");
  json.set("use_cache", true);
  return json;
}

ModelConfig model_config_from_json(const Json& json, const std::string& where) {
  json.as_object(where);
  const ConfigReader reader(json, where);
  const bool is_cria = reader.text("model_type", "llama") == "cria";
  if (!is_cria) reader.require("model_type", "llama");
  reader.require("hidden_act", "silu");
  require_whole_rotation(reader);
  ModelConfig c;
  // LlamaConfig's defaults where a key is missing.
  c.vocab_size = reader.integer("vocab_size", 32000, 1, kMostSize);
  c.hidden_size = reader.integer("hidden_size", 4096, 1, 1 << 20);
  c.intermediate_size = reader.integer("intermediate_size", 11008, 1, kMostSize);
  c.num_hidden_layers = reader.integer("num_hidden_layers", 32, 1, 1024);
  c.num_attention_heads = reader.integer("num_attention_heads", 32, 1, 1 << 16);
  c.num_key_value_heads = reader.integer("num_key_value_heads", c.num_attention_heads, 1, 1 << 16);
  c.head_dim = reader.integer("head_dim", 0, 0, 1 << 16);
  c.max_position_embeddings = reader.integer("max_position_embeddings", 2048, 1, kMostSize);
  c.initializer_range = reader.positive("initializer_range", 0.02);
  c.rms_norm_eps = reader.positive("rms_norm_eps", 1e-6);
  c.tie_word_embeddings = reader.boolean("tie_word_embeddings", false);
  c.attention_bias = reader.boolean("attention_bias", false);
  c.mlp_bias = reader.boolean("mlp_bias", false);
  // -1 occurs in old files and means none.
  c.pad_token_id = reader.integer("pad_token_id", -1, -1, kMostSize);
  c.attention_dropout = reader.probability("attention_dropout");
  c.embedding_dropout = reader.probability("embedding_dropout");
  c.residual_dropout = reader.probability("residual_dropout");
  is_cria ? read_cria(reader, where, c) : read_rope(reader, where, c);
  return resolved(c, 0, where + ": ");
}

}  // namespace cria
