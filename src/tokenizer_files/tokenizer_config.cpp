#include "tokenizer_files/tokenizer_config.h"

#include <array>
#include <utility>

#include "cria/base/file.h"
#include "tokenizer_files/json_parts.h"
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
    config.add_bos_token = flag("add_bos_token");
    config.add_prefix_space = flag("add_prefix_space");
    if (const Json* const name = value("tokenizer_class")) {
      config.tokenizer_class = name->as_string(path + ": tokenizer_class");
    }
  });
  if (!is_complete) read("special_tokens_map.json", [](const Json&, const std::string&) {});
  return config;
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
