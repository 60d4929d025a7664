#include "model/config_json.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "base/number.h"
#include "cria/base/error.h"
#include "model/config_keys.h"

namespace cria {
namespace {

// An object of config.json. Null means missing.
class ConfigReader {
 public:
  // config: what the object's keys are to set.
  ConfigReader(const Json& json, const std::string& where, ModelConfig& config)
      : json_(json), where_(where), keys_(model_keys(config)) {}

  const Json* find(const char* key) const {
    const Json* value = json_.find(key);
    return value && !value->is_null() ? value : nullptr;
  }

  std::string place(const char* key) const { return where_ + ": " + key; }

  // What the table of keys calls model.`as`, if it is there. What is to be derived is missing here,
  // so 0 is out of range.
  void read(const char* name, const std::string& as) const {
    const Json* const json = find(name);
    if (!json) return;
    Key key = *std::ranges::find(keys_, "model." + as, &Key::name);
    key.name = name;
    key.may_derive = false;
    assign(key, value_for(key, *json), where_);
  }

  void read(std::initializer_list<const char*> names, const std::string& table = {}) const {
    for (const char* const name : names) read(name, table + name);
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
    if (got == wanted) return;
    throw Error("not supported",
                {.where = place(key), .expected = Json(wanted).dump(), .got = Json(got).dump()});
  }

 private:
  TomlValue value_for(const Key& key, const Json& json) const {
    const std::string where = place(key.name.c_str());
    if (json.is_string()) return {json.as_string(where)};
    return std::visit(
        [&]<class T>(T* const&) -> TomlValue {
          if constexpr (std::is_same_v<T, bool>) return {json.as_bool(where)};
          if constexpr (std::is_same_v<T, std::string>) return {json.as_string(where)};
          if (json.is_int()) return {json.as_int(where)};
          return {json.as_double(where)};
        },
        key.field);
  }

  const Json& json_;
  const std::string where_;
  const std::vector<Key> keys_;
};

void require_whole_rotation(const ConfigReader& reader) {
  const char* const key = "partial_rotary_factor";
  const Json* const factor = reader.find(key);
  if (!factor || factor->as_double(reader.place(key)) == 1.0) return;
  throw Error("not supported", {.where = reader.place(key), .expected = "1.0"});
}

// rope_scaling (transformers 4) unless it is empty, else rope_parameters (5), as transformers does.
void read_rope(const ConfigReader& reader, const std::string& where, ModelConfig& c) {
  reader.read({"rope_theta"});
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
    const ConfigReader rope(*object, place, c);
    const std::string scaling = "rope_scaling.";
    require_whole_rotation(rope);
    rope.read({"rope_theta"});
    rope.read(rope.find("rope_type") ? "rope_type" : "type", scaling + "rope_type");
    const std::string& type = c.rope_scaling.rope_type;
    if (type == "default") return;
    rope.require("factor");
    rope.read({"factor"}, scaling);
    if (type == "llama3") {
      for (const char* needed :
           {"low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}) {
        rope.require(needed);
        rope.read({needed}, scaling);
      }
    }
    if (type == "yarn") {
      rope.read({"beta_fast", "beta_slow", "truncate", "attention_factor", "mscale",
                 "mscale_all_dim", "original_max_position_embeddings"},
                scaling);
    }
    return;
  }
}

// The keys of model_type "cria".
void read_cria(const ConfigReader& reader, const std::string& where, ModelConfig& c) {
  reader.read({"embedding_scale", "embedding_norm", "position"});
  reader.read("embedding_max_norm", "embedding.max_norm");
  if (c.embedding.max_norm) reader.read("embedding_norm_type", "embedding.norm_type");
  if (c.position == "rope") read_rope(reader, where, c);
  if (c.position == "t5") {
    reader.read({"relative_attention_num_buckets", "relative_attention_max_distance",
                 "relative_attention_per_layer"});
  }
  if (c.position == "deberta") reader.read({"max_relative_positions", "position_buckets"});
  if (c.position == "transformer_xl") reader.read({"memory_length"});
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
  if (c.embedding_initializer_range) {
    json.set("embedding_initializer_range", *c.embedding_initializer_range);
  }
  if (c.head_initializer_range) json.set("head_initializer_range", *c.head_initializer_range);
  if (c.logit_scale != 1) json.set("logit_scale", c.logit_scale);
  if (c.embedding.gradient_scale != 1) {
    json.set("embedding_gradient_scale", c.embedding.gradient_scale);
  }
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
  // LlamaConfig's defaults where a key is missing.
  ModelConfig c;
  c.vocab_size = 32000;
  c.hidden_size = 4096;
  c.intermediate_size = 11008;
  c.num_hidden_layers = 32;
  c.num_attention_heads = 32;
  c.max_position_embeddings = 2048;
  c.rms_norm_eps = 1e-6;
  const ConfigReader reader(json, where, c);
  const bool is_cria = reader.text("model_type", "llama") == "cria";
  if (!is_cria) reader.require("model_type", "llama");
  reader.require("hidden_act", "silu");
  require_whole_rotation(reader);
  reader.read({"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
               "num_attention_heads", "num_key_value_heads", "head_dim", "max_position_embeddings",
               "initializer_range", "rms_norm_eps", "tie_word_embeddings", "attention_bias",
               "mlp_bias", "pad_token_id", "attention_dropout", "embedding_dropout",
               "residual_dropout"});
  reader.read({"embedding_initializer_range", "head_initializer_range", "logit_scale"});
  reader.read("embedding_gradient_scale", "embedding.gradient_scale");
  is_cria ? read_cria(reader, where, c) : read_rope(reader, where, c);
  return resolved(c, 0, where + ": ");
}

}  // namespace cria
