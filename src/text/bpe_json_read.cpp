#include <algorithm>
#include <unordered_map>
#include <utility>

#include "bpe_json_regex.h"
#include "cria/base/error.h"
#include "cria/base/unicode.h"
#include "cria/text/bpe_json.h"
#include "cria/text/byte_characters.h"
#include "tokens_by_id.h"

namespace cria {
namespace {

class Reader {
 public:
  Reader(const Json& file, const std::string& where) : file_(file), where_(where) {}

  std::unique_ptr<BpeTokenizer> read() {
    require_keys(file_, "",
                 {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
                  "post_processor", "decoder", "model"});
    require("version", member(file_, "version"), "1.0");
    for (const char* const key : {"truncation", "padding", "normalizer"}) {
      require(key, member(file_, key), nullptr);
    }
    read_pre_tokenizer();
    require("decoder.type", member(member(file_, "decoder"), "type"), "ByteLevel");
    read_model(member(file_, "model"));
    read_added_tokens();
    TextEnds ends;
    read_post_processor(member(file_, "post_processor"), "post_processor", ends);
    try {
      return std::make_unique<BpeTokenizer>(std::move(vocabulary_), std::move(ends));
    } catch (const Error& error) {
      throw Error(error.what(), {.where = where_});
    }
  }

 private:
  [[noreturn]] void fail(const std::string& summary, const std::string& expected = {},
                         const std::string& got = {}, const std::string& hint = {}) const {
    throw Error(summary, {.where = where_, .expected = expected, .got = got, .hint = hint});
  }

  static std::string shown(const Json& value) {
    if (value.is_object() && value.find("type")) return "type " + value.find("type")->dump();
    return value.is_object() || value.is_array() ? value.kind_name() : value.dump();
  }

  std::string at(const std::string& key) const { return where_ + ": " + key; }

  // null when it is missing.
  static const Json& member(const Json& object, std::string_view key) {
    static const Json null;
    const Json* const found = object.find(key);
    return found ? *found : null;
  }

  void require(const std::string& key, const Json& found, const Json& expected) const {
    if (found == expected) return;
    fail(quote(key) + " is not supported", shown(expected), shown(found));
  }

  void require_keys(const Json& object, const std::string& name,
                    const std::vector<std::string>& known) const {
    for (const auto& [key, value] : object.as_object(at(name))) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      fail("key " + quote(name.empty() ? key : name + "." + key) + " is not supported",
           one_of(known), shown(value), did_you_mean(key, known));
    }
  }

  bool flag(const Json& object, const std::string& name, const char* key, bool missing) const {
    const Json* const found = object.find(key);
    return found ? found->as_bool(at(name + "." + key)) : missing;
  }

  void read_pre_tokenizer() {
    const std::string name = "pre_tokenizer";
    const Json& whole = member(file_, name);
    if (member(whole, "type") == Json("ByteLevel")) {
      read_byte_level(whole, name, true);
      return;
    }
    require(name + ".type", member(whole, "type"), "Sequence");
    const Json::Array& parts = member(whole, "pretokenizers").as_array(at(name + ".pretokenizers"));
    if (parts.size() != 2) {
      fail(quote(name) + " is not supported", "Split, then ByteLevel",
           std::to_string(parts.size()) + " parts");
    }
    read_split(parts[0], name + ".pretokenizers[0]");
    read_byte_level(parts[1], name + ".pretokenizers[1]", false);
  }

  void read_byte_level(const Json& part, const std::string& name, bool use_regex) const {
    require(name + ".type", member(part, "type"), "ByteLevel");
    require_keys(part, name, {"type", "add_prefix_space", "trim_offsets", "use_regex"});
    require(name + ".add_prefix_space", flag(part, name, "add_prefix_space", true), false);
    require(name + ".use_regex", flag(part, name, "use_regex", true), use_regex);
  }

  void read_split(const Json& part, const std::string& name) {
    require(name + ".type", member(part, "type"), "Split");
    require_keys(part, name, {"type", "pattern", "behavior", "invert"});
    // The patterns leave nothing between their matches: to remove it is to keep the matches.
    const bool inverted = flag(part, name, "invert", false);
    require(name + ".behavior", member(part, "behavior"), inverted ? "Removed" : "Isolated");
    const Json& regex = member(member(part, "pattern"), "Regex");
    if (regex == Json(kGpt4Regex)) {
      vocabulary_.pattern = Pattern::gpt4;
    } else if (regex != Json(kGpt2Regex)) {
      fail(quote(name + ".pattern") + " is not supported",
           "the pattern of GPT-2, GPT-4 or Llama-3, as Hugging Face's files write it",
           member(part, "pattern").dump());
    }
  }

  void read_model(const Json& model) {
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
    // unk_token, fuse_unk and byte_fallback say what to do about a byte without a token; there is
    // none, or Bpe refuses the vocabulary.
    vocabulary_.ignore_merges = flag(model, "model", "ignore_merges", false);
    names_ = tokens_by_id(member(model, "vocab").as_object(at("model.vocab")), where_);
    for (size_t id = 0; id < names_.size(); ++id) {
      ids_.emplace(names_[id], static_cast<int32_t>(id));
      // The text of an added token is not mapped; read_added_tokens checks that it is one.
      vocabulary_.tokens.push_back(from_byte_characters(names_[id]).value_or(""));
    }
    const Json::Array& merges = member(model, "merges").as_array(at("model.merges"));
    for (size_t rank = 0; rank < merges.size(); ++rank) {
      read_merge(merges[rank], "model.merges[" + std::to_string(rank) + "]");
    }
  }

  // "left right", or ["left", "right"].
  void read_merge(const Json& merge, const std::string& name) {
    std::string left, right;
    if (merge.is_string()) {
      const std::string& both = merge.as_string(name);
      if (both.starts_with("#version")) return;
      const size_t space = both.find(' ');
      if (space == both.npos || both.find(' ', space + 1) != both.npos) {
        fail(quote(name) + " is not a merge", "two tokens with one space between them",
             quote(both));
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
      const auto found = ids_.find(token);
      if (found == ids_.end()) {
        fail(quote(name) + " is a merge of what is not in the vocabulary",
             "tokens of the vocabulary", quote(token));
      }
      return found->second;
    };
    vocabulary_.merges.push_back({id(left), id(right), id(left + right)});
  }

  void read_added_tokens() {
    const Json::Array& all = member(file_, "added_tokens").as_array(at("added_tokens"));
    std::vector<std::string> normalized, others;
    for (size_t i = 0; i < all.size(); ++i) {
      const std::string name = "added_tokens[" + std::to_string(i) + "]";
      require_keys(all[i], name,
                   {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
      for (const char* const key : {"single_word", "lstrip", "rstrip"}) {
        require(name + "." + key, flag(all[i], name, key, false), false);
      }
      const std::string& text = member(all[i], "content").as_string(at(name + ".content"));
      (flag(all[i], name, "normalized", false) ? normalized : others).push_back(text);
      add_token(text, member(all[i], "id").as_int(at(name + ".id")),
                flag(all[i], name, "special", false), name);
    }
    for (size_t id = 0; id < names_.size(); ++id) {
      if (!vocabulary_.tokens[id].empty()) continue;
      fail("token " + quote(names_[id]) + " is neither added nor made of byte-level characters");
    }
    for (const std::string& a : normalized) {
      for (const std::string& b : others) require_apart(a, b);
    }
  }

  // The id is the vocabulary's, or else the next one: Hugging Face goes by that, not by the file.
  void add_token(const std::string& text, int64_t id, bool special, const std::string& name) {
    const auto known = ids_.find(text);
    const bool is_new = known == ids_.end();
    const auto expected =
        is_new ? static_cast<int64_t>(vocabulary_.tokens.size()) : int64_t{known->second};
    if (id != expected) {
      fail("added token " + quote(text) + " has another id than Hugging Face would give it",
           std::to_string(expected), quote(name + ".id") + " is " + std::to_string(id));
    }
    if (is_new) {
      vocabulary_.tokens.push_back(text);
    } else {
      vocabulary_.tokens[static_cast<size_t>(id)] = text;
    }
    vocabulary_.added.push_back({text, static_cast<int32_t>(id), special});
  }

  // Tokens with `normalized` are looked for after the others have been taken out of the text, which
  // is the same as all at once unless two of them can overlap.
  void require_apart(const std::string& a, const std::string& b) const {
    bool overlap = a.find(b) != a.npos || b.find(a) != b.npos;
    for (size_t length = 1; length < std::min(a.size(), b.size()); ++length) {
      overlap |= a.ends_with(b.substr(0, length)) || b.ends_with(a.substr(0, length));
    }
    if (!overlap) return;
    fail("added tokens that can overlap, one normalized and one not, are not supported", {},
         quote(a) + " and " + quote(b));
  }

  void read_post_processor(const Json& processor, const std::string& name, TextEnds& ends) const {
    const Json& type = member(processor, "type");
    if (processor.is_null() || type == Json("ByteLevel")) return;  // which changes offsets only
    if (type == Json("Sequence")) {
      const Json::Array& parts = member(processor, "processors").as_array(at(name + ".processors"));
      for (size_t i = 0; i < parts.size(); ++i) {
        read_post_processor(parts[i], name + ".processors[" + std::to_string(i) + "]", ends);
      }
      return;
    }
    require(name + ".type", type, "TemplateProcessing");
    if (!ends.before.empty() || !ends.after.empty()) {
      fail(quote(name) + " is not supported", "one template", "a second");
    }
    read_template(processor, name, ends);
  }

  void read_template(const Json& processor, const std::string& name, TextEnds& ends) const {
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
        if (value < 0 || value >= static_cast<int64_t>(vocabulary_.tokens.size())) {
          fail(quote(name) + " puts an id around the text that is outside the vocabulary",
               "0 to " + std::to_string(vocabulary_.tokens.size() - 1), std::to_string(value));
        }
        (seen_text ? ends.after : ends.before).push_back(static_cast<int32_t>(value));
      }
    }
    if (!seen_text) fail(quote(name + ".single") + " leaves out the text");
  }

  const Json& file_;
  const std::string& where_;
  BpeVocabulary vocabulary_;
  std::vector<std::string> names_;                     // of model.vocab, by id
  std::unordered_map<std::string_view, int32_t> ids_;  // views of names_
};

}  // namespace

std::unique_ptr<BpeTokenizer> bpe_from_json(const Json& file, const std::string& where) {
  return Reader(file, where).read();
}

}  // namespace cria
