#include "tokenizer_files/json_parts.h"

#include <algorithm>
#include <utility>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "tokenizer_files/tokens_by_id.h"

namespace cria {

Json::Array added_tokens_json(std::vector<AddedToken> added) {
  std::ranges::sort(added, {}, &AddedToken::id);
  Json::Array tokens;
  for (const AddedToken& token : added) {
    tokens.push_back(Json::Object{{"id", token.id},
                                  {"content", token.text},
                                  {"single_word", false},
                                  {"lstrip", false},
                                  {"rstrip", false},
                                  {"normalized", false},
                                  {"special", token.special}});
  }
  return tokens;
}

Json post_processor_json(const TextEnds& ends, const std::function<std::string(int32_t)>& name) {
  if (ends.before.empty() && ends.after.empty()) return nullptr;
  Json special = Json::Object{};
  const auto add_text = [&](Json::Array& parts, const char* text, int type) {
    const auto add_tokens = [&](const std::vector<int32_t>& ids) {
      for (const int32_t id : ids) {
        const std::string token = name(id);
        parts.push_back(
            Json::Object{{"SpecialToken", Json::Object{{"id", token}, {"type_id", type}}}});
        special.set(
            token,
            Json::Object{{"id", token}, {"ids", Json::Array{id}}, {"tokens", Json::Array{token}}});
      }
    };
    add_tokens(ends.before);
    parts.push_back(Json::Object{{"Sequence", Json::Object{{"id", text}, {"type_id", type}}}});
    add_tokens(ends.after);
  };
  Json::Array single, pair;
  add_text(single, "A", 0);
  add_text(pair, "A", 0);
  add_text(pair, "B", 1);
  return Json::Object{{"type", "TemplateProcessing"},
                      {"single", single},
                      {"pair", pair},
                      {"special_tokens", special}};
}

void JsonParts::fail(const std::string& summary, const std::string& expected,
                     const std::string& got, const std::string& hint) const {
  throw Error(summary, {.where = where_, .expected = expected, .got = got, .hint = hint});
}

std::string JsonParts::shown(const Json& value) {
  if (value.is_object() && value.find("type")) return "type " + value.find("type")->dump();
  if (value.is_array()) return "array of " + std::to_string(value.as_array("").size());
  return value.is_object() ? value.kind_name() : value.dump();
}

const Json& JsonParts::member(const Json& object, std::string_view key) {
  static const Json null;
  const Json* const found = object.find(key);
  return found ? *found : null;
}

bool JsonParts::flag(const Json& object, const std::string& name, const char* key,
                     bool missing) const {
  const Json* const found = object.find(key);
  return found ? found->as_bool(at(name + "." + key)) : missing;
}

void JsonParts::require(const std::string& key, const Json& found, const Json& expected) const {
  if (found == expected) return;
  fail(quote(key) + " is not supported", shown(expected), shown(found));
}

void JsonParts::require_keys(const Json& object, const std::string& name,
                             const std::vector<std::string>& known) const {
  for (const auto& [key, value] : object.as_object(at(name))) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    fail("key " + quote(name.empty() ? key : name + "." + key) + " is not supported", one_of(known),
         shown(value), did_you_mean(key, known));
  }
}

void JsonParts::require_file() const {
  require_keys(file_, "",
               {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
                "post_processor", "decoder", "model"});
  require("version", member(file_, "version"), "1.0");
}

bool JsonParts::has_no_normalizer() const {
  const Json& normalizer = member(file_, "normalizer");
  if (normalizer.is_null()) return true;
  const Json& parts = member(normalizer, "normalizers");
  return member(normalizer, "type") == Json("Sequence") && parts == Json(Json::Array{});
}

void JsonParts::require_model(const Json& model) const {
  require_keys(model, "model",
               {"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
                "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"});
  if (model.find("type")) require("model.type", *model.find("type"), "BPE");
  require("model.dropout", member(model, "dropout"), nullptr);
  for (const char* const key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (member(model, key) != Json("")) {
      require(std::string("model.") + key, member(model, key), nullptr);
    }
  }
}

std::vector<BpeMerge> JsonParts::read_merges(const Json& model, const TokenIdsByName& ids) const {
  const Json::Array& all = member(model, "merges").as_array(at("model.merges"));
  std::vector<BpeMerge> merges;
  for (size_t rank = 0; rank < all.size(); ++rank) {
    const auto merge = read_merge(all[rank], "model.merges[" + std::to_string(rank) + "]", ids);
    if (merge) merges.push_back(*merge);
  }
  return merges;
}

// "left right", or ["left", "right"].
std::optional<BpeMerge> JsonParts::read_merge(const Json& merge, const std::string& name,
                                              const TokenIdsByName& ids) const {
  std::string left, right;
  if (merge.is_string()) {
    const std::string& both = merge.as_string(name);
    if (both.starts_with("#version")) return std::nullopt;
    const size_t space = both.find(' ');
    if (space == both.npos || both.find(' ', space + 1) != both.npos) {
      fail(quote(name) + " is not a merge", "two tokens with one space between them", quote(both));
    }
    left = both.substr(0, space);
    right = both.substr(space + 1);
  } else {
    const Json::Array& pair = merge.as_array(at(name));
    if (pair.size() != 2) {
      fail(quote(name) + " is not a merge", "two tokens", std::to_string(pair.size()));
    }
    left = pair[0].as_string(at(name));
    right = pair[1].as_string(at(name));
  }
  const auto id = [&](const std::string& token) {
    const auto found = ids.find(token);
    if (found == ids.end()) {
      fail(quote(name) + " is a merge of what is not in the vocabulary", "tokens of the vocabulary",
           quote(token));
    }
    return found->second;
  };
  return BpeMerge{id(left), id(right), id(left + right)};
}

std::vector<std::string> JsonParts::read_names(const Json& model) const {
  return tokens_by_id(member(model, "vocab").as_object(at("model.vocab")), where_);
}

TokenIdsByName JsonParts::ids_of(const std::vector<std::string>& names) {
  TokenIdsByName ids;
  for (size_t id = 0; id < names.size(); ++id) ids.emplace(names[id], static_cast<int32_t>(id));
  return ids;
}

// The id is the vocabulary's, or else the next one: Hugging Face goes by that, not by the file.
std::vector<AddedToken> JsonParts::read_added_tokens(const TokenIdsByName& ids) const {
  const Json::Array& all = member(file_, "added_tokens").as_array(at("added_tokens"));
  std::vector<AddedToken> added;
  std::vector<std::string> normalized, others;
  auto next = static_cast<int64_t>(ids.size());
  for (size_t i = 0; i < all.size(); ++i) {
    const std::string name = "added_tokens[" + std::to_string(i) + "]";
    require_keys(all[i], name,
                 {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    for (const char* const key : {"single_word", "lstrip", "rstrip"}) {
      require(name + "." + key, flag(all[i], name, key, false), false);
    }
    const std::string& text = member(all[i], "content").as_string(at(name + ".content"));
    (flag(all[i], name, "normalized", false) ? normalized : others).push_back(text);
    const int64_t id = member(all[i], "id").as_int(at(name + ".id"));
    const auto known = ids.find(text);
    const int64_t expected = known != ids.end() ? known->second : next++;
    if (id != expected) {
      fail("added token " + quote(text) + " has another id than Hugging Face would give it",
           std::to_string(expected), quote(name + ".id") + " is " + std::to_string(id));
    }
    added.push_back({text, static_cast<int32_t>(id), flag(all[i], name, "special", false)});
  }
  for (const std::string& a : normalized) {
    for (const std::string& b : others) require_apart(a, b);
  }
  return added;
}

// Tokens with `normalized` are looked for after the others have been taken out of the text, which
// is the same as all at once unless two of them can overlap.
void JsonParts::require_apart(const std::string& a, const std::string& b) const {
  bool overlap = a.find(b) != a.npos || b.find(a) != b.npos;
  for (size_t length = 1; length < std::min(a.size(), b.size()); ++length) {
    overlap |= a.ends_with(b.substr(0, length)) || b.ends_with(a.substr(0, length));
  }
  if (!overlap) return;
  fail("added tokens that can overlap, one normalized and one not, are not supported", {},
       quote(a) + " and " + quote(b));
}

TextEnds JsonParts::read_ends(size_t count) const {
  TextEnds ends;
  read_post_processor(member(file_, "post_processor"), "post_processor", count, ends);
  return ends;
}

void JsonParts::read_post_processor(const Json& processor, const std::string& name, size_t count,
                                    TextEnds& ends) const {
  const Json& type = member(processor, "type");
  if (processor.is_null() || type == Json("ByteLevel")) return;  // which changes offsets only
  if (type == Json("Sequence")) {
    const Json::Array& parts = member(processor, "processors").as_array(at(name + ".processors"));
    for (size_t i = 0; i < parts.size(); ++i) {
      read_post_processor(parts[i], name + ".processors[" + std::to_string(i) + "]", count, ends);
    }
    return;
  }
  require(name + ".type", type, "TemplateProcessing");
  if (!ends.before.empty() || !ends.after.empty()) {
    fail(quote(name) + " is not supported", "one template", "a second");
  }
  read_template(processor, name, count, ends);
}

void JsonParts::read_template(const Json& processor, const std::string& name, size_t count,
                              TextEnds& ends) const {
  const Json::Array& single = member(processor, "single").as_array(at(name + ".single"));
  const Json& special = member(processor, "special_tokens");
  bool seen_text = false;
  for (const Json& part : single) {
    if (const Json* const text = part.find("Sequence")) {
      require(name + ".single Sequence", member(*text, "id"), "A");
      if (std::exchange(seen_text, true)) fail(quote(name + ".single") + " has the text twice");
      continue;
    }
    const Json& token = member(member(part, "SpecialToken"), "id");
    const std::string& key = token.as_string(at(name + ".single SpecialToken.id"));
    const Json& ids = member(member(special, key), "ids");
    for (const Json& id : ids.as_array(at(name + ".special_tokens of " + quote(key)))) {
      const int64_t value = id.as_int(at(name + ".special_tokens of " + quote(key)));
      if (value < 0 || value >= static_cast<int64_t>(count)) {
        fail(quote(name) + " puts an id around the text that is outside the vocabulary",
             "0 to " + std::to_string(count - 1), std::to_string(value));
      }
      (seen_text ? ends.after : ends.before).push_back(static_cast<int32_t>(value));
    }
  }
  if (!seen_text) fail(quote(name + ".single") + " leaves out the text");
}

}  // namespace cria
