#include "cria/model/config_json.h"

#include <limits>

#include "cria/base/error.h"
#include "cria/base/number.h"

namespace cria {
namespace {

// Reads keys that may be missing, null meaning missing, and checks ranges.
class Reader {
 public:
  Reader(const Json& json, const std::string& where) : json_(json), where_(where) {}

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
    const Json* value = find(key);
    const double number = value ? value->as_double(place(key)) : fallback;
    if (!(number > 0)) {
      throw Error(
          "out of range",
          {.where = place(key), .expected = "a positive number", .got = shortest_double(number)});
    }
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
  const Json& json_;
  const std::string& where_;
};

// rope_scaling (transformers 4) or rope_parameters (5): only the unscaled form is supported.
double read_rope_theta(const Reader& reader, const std::string& where) {
  double theta = reader.positive("rope_theta", 10000.0);
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    const Json* object = reader.find(key);
    if (!object || !object->is_object()) continue;
    const std::string place = where + ": " + key;
    const Reader rope(*object, place);
    rope.require("rope_type", "default");
    rope.require("type", "default");
    theta = rope.positive("rope_theta", theta);
  }
  return theta;
}

}  // namespace

Json to_json(const ModelConfig& c) {
  const bool is_llama = c.position == "rope";
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
  json.set("attention_dropout", 0.0);
  if (!is_llama) json.set("position", c.position);
  // The first for transformers 4, the second for 5.
  json.set("rope_theta", c.rope_theta);
  Json rope;
  rope.set("rope_theta", c.rope_theta);
  rope.set("rope_type", "default");
  json.set("rope_parameters", rope);
  json.set("bos_token_id", nullptr);
  json.set("eos_token_id", nullptr);
  json.set("pad_token_id", c.pad_token_id < 0 ? Json() : Json(c.pad_token_id));
  json.set("torch_dtype", "float32");
  json.set("use_cache", true);
  return json;
}

ModelConfig model_config_from_json(const Json& json, const std::string& where) {
  json.as_object(where);
  const Reader reader(json, where);
  ModelConfig c;
  if (reader.text("model_type", "llama") != "cria") reader.require("model_type", "llama");
  reader.require("hidden_act", "silu");
  if (reader.find("partial_rotary_factor") &&
      reader.positive("partial_rotary_factor", 1.0) != 1.0) {
    throw Error("not supported",
                {.where = reader.place("partial_rotary_factor"), .expected = "1.0"});
  }
  // LlamaConfig's defaults where a key is missing.
  constexpr int64_t kMost = int64_t{1} << 24;
  c.vocab_size = reader.integer("vocab_size", 32000, 1, kMost);
  c.hidden_size = reader.integer("hidden_size", 4096, 1, 1 << 20);
  c.intermediate_size = reader.integer("intermediate_size", 11008, 1, kMost);
  c.num_hidden_layers = reader.integer("num_hidden_layers", 32, 1, 1024);
  c.num_attention_heads = reader.integer("num_attention_heads", 32, 1, 1 << 16);
  c.num_key_value_heads = reader.integer("num_key_value_heads", c.num_attention_heads, 1, 1 << 16);
  c.head_dim = reader.integer("head_dim", 0, 0, 1 << 16);
  c.max_position_embeddings = reader.integer("max_position_embeddings", 2048, 1, kMost);
  c.initializer_range = reader.positive("initializer_range", 0.02);
  c.rms_norm_eps = reader.positive("rms_norm_eps", 1e-6);
  c.tie_word_embeddings = reader.boolean("tie_word_embeddings", false);
  c.attention_bias = reader.boolean("attention_bias", false);
  c.mlp_bias = reader.boolean("mlp_bias", false);
  // -1 occurs in old files and means none.
  c.pad_token_id = reader.integer("pad_token_id", -1, -1, kMost);
  c.position = reader.text("position", "rope");
  c.rope_theta = read_rope_theta(reader, where);
  return resolved(c, 0, where + ": ");
}

}  // namespace cria
