#include "tokenizer_files/tokenizer_config.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/number.h"
#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "tokenizer_files/json_parts.h"
#include "tokenizer_files/sentencepiece_json.h"
#include "tokenizer_files/tokenizer_json.h"

namespace cria {
namespace {

constexpr std::array<std::pair<const char*, TokenizerConfig::Role TokenizerConfig::*>, 4> kRoles = {
    {{"bos_token", &TokenizerConfig::bos},
     {"eos_token", &TokenizerConfig::eos},
     {"pad_token", &TokenizerConfig::pad},
     {"unk_token", &TokenizerConfig::unk}}};

// A role is a string, an object with content, or null.
void read_roles(const Json& file, const std::string& path, TokenizerConfig& config) {
  for (const auto& [key, role] : kRoles) {
    const Json* const value = file.find(key);
    if (!value) continue;
    const std::string place = path + ": " + key;
    const Json* const content = value->find("content");
    config.*role = {value->is_null() ? ""
                    : content        ? content->as_string(place + ".content")
                                     : value->as_string(place),
                    place};
  }
}

// {"32000": {"content": ...}} as [{"id": 32000, "content": ...}], in the order of ids.
Json added_tokens_of(const Json& decoder, const std::string& place) {
  std::map<int64_t, Json> by_id;
  for (const auto& [key, token] : decoder.as_object(place)) {
    int64_t id = 0;
    if (!parse_number(key, id)) {
      throw Error("not an id", {.where = place, .expected = "a number", .got = quote(key)});
    }
    Json entry = Json::Object{{"id", id}};
    for (const auto& [name, value] : token.as_object(place + " " + key)) {
      if (name != "__type") entry.set(name, value);
    }
    by_id.emplace(id, std::move(entry));
  }
  Json::Array tokens;
  for (auto& [id, token] : by_id) tokens.push_back(std::move(token));
  return tokens;
}

const Json& content_of(const Json& token) {
  static const Json none;
  const Json* const content = token.find("content");
  return content ? *content : none;
}

}  // namespace

TokenizerConfig read_tokenizer_config(const std::string& directory) {
  TokenizerConfig config;
  const auto read = [&](const char* name, auto&& body) {
    const std::string path = join_path(directory, name);
    if (!exists(path)) return;
    const Json file = read_json(path);
    file.as_object(path);
    read_roles(file, path, config);
    body(file, path);
  };
  bool is_complete = false;
  read("tokenizer_config.json", [&](const Json& file, const std::string& path) {
    is_complete = file.find("added_tokens_decoder");
    const auto value = [&](const char* key) {
      const Json* const found = file.find(key);
      return found && !found->is_null() ? found : nullptr;
    };
    const auto flag = [&](const char* key) {
      return value(key) && value(key)->as_bool(path + ": " + key);
    };
    config.path = path;
    config.add_bos_token = flag("add_bos_token");
    config.legacy = flag("legacy");
    if (value("add_prefix_space")) config.add_prefix_space = flag("add_prefix_space");
    if (const Json* const name = value("tokenizer_class")) {
      config.tokenizer_class = name->as_string(path + ": tokenizer_class");
      if (config.tokenizer_class.ends_with("Fast")) {
        config.tokenizer_class.erase(config.tokenizer_class.size() - 4);
      }
    }
    if (const Json* const added = value("added_tokens_decoder")) {
      config.added_tokens = added_tokens_of(*added, path + ": added_tokens_decoder");
    }
  });
  const std::string model = join_path(directory, "config.json");
  if (exists(model)) {
    const Json file = read_json(model);
    const Json* const type = file.find("model_type");
    if (type && type->is_string()) config.model_type = type->as_string(model);
  }
  if (!is_complete) read("special_tokens_map.json", [](const Json&, const std::string&) {});
  return config;
}

Json tokenizer_json_beside(Json file, const TokenizerConfig& config, const std::string& where) {
  if (!config.added_tokens.is_null()) {
    const Json* const own = file.find("added_tokens");
    Json::Array tokens = own ? own->as_array(where + ": added_tokens") : Json::Array();
    for (const Json& token : config.added_tokens.as_array(config.path)) {
      const auto known = std::ranges::find_if(
          tokens, [&](const Json& other) { return content_of(other) == content_of(token); });
      if (known == tokens.end()) {
        tokens.push_back(token);
      } else {
        *known = token;
      }
    }
    file.set("added_tokens", std::move(tokens));
  }
  const Json* const model = file.find("model");
  const Json* const fallback = model ? model->find("byte_fallback") : nullptr;
  const bool is_sentencepiece = fallback && *fallback == Json(true);
  const bool prefix = config.add_prefix_space.value_or(true);
  const bool is_llama = config.tokenizer_class == "LlamaTokenizer" &&
                        (config.model_type.empty() || config.model_type == "llama");
  if (is_llama && is_sentencepiece) {
    set_front_space(file, !prefix         ? FrontSpace::never
                          : config.legacy ? FrontSpace::spaceless
                                          : FrontSpace::at_beginning);
  }
  if (config.tokenizer_class == "GPT2Tokenizer" && config.add_prefix_space.value_or(false)) {
    throw Error("a space in front of a text is not supported for a byte-level BPE",
                {.where = config.path + ": add_prefix_space", .expected = "false", .got = "true"});
  }
  return file;
}

Json special_tokens_map_json(const Tokenizer& tokenizer) {
  const SpecialTokens& ids = tokenizer.special_tokens();
  Json json = Json::Object{};
  for (const auto& [key, id] : {std::pair("bos_token", ids.bos), std::pair("eos_token", ids.eos),
                                std::pair("pad_token", ids.pad), std::pair("unk_token", ids.unk)}) {
    if (id != -1) json.set(key, token_name(tokenizer, id));
  }
  return json;
}

Json tokenizer_config_json(const Tokenizer& tokenizer, int64_t model_max_length) {
  Json added = Json::Object{};
  for (const Json& token : added_tokens_json(tokenizer.added_tokens())) {
    Json::Object entry = token.as_object("");
    entry.erase(entry.begin());  // the id, which is the key
    added.set(token.find("id")->dump(), std::move(entry));
  }
  Json json = Json::Object{{"tokenizer_class", "PreTrainedTokenizerFast"}};
  const Json roles = special_tokens_map_json(tokenizer);
  for (const auto& [key, token] : roles.as_object("")) json.set(key, token);
  if (model_max_length > 0) json.set("model_max_length", model_max_length);
  // Cleaning up would take spaces before punctuation out of decoded text.
  json.set("clean_up_tokenization_spaces", false);
  json.set("added_tokens_decoder", std::move(added));
  return json;
}

}  // namespace cria
