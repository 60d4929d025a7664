#include <utility>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "tokenizer_files/bpe_json.h"
#include "tokenizer_files/bpe_json_regex.h"
#include "tokenizer_files/byte_characters.h"
#include "tokenizer_files/json_parts.h"

namespace cria {
namespace {

class BpeReader : JsonParts {
 public:
  BpeReader(const Json& file, const std::string& where) : JsonParts(file, where) {}

  std::unique_ptr<BpeTokenizer> read() {
    require_file();
    vocabulary_.nfc = !has_no_normalizer();
    if (vocabulary_.nfc)
      require("normalizer.type", member(member(file_, "normalizer"), "type"), "NFC");
    read_pre_tokenizer();
    require("decoder.type", member(member(file_, "decoder"), "type"), "ByteLevel");
    read_model(member(file_, "model"));
    add_tokens();
    TextEnds ends = read_ends(vocabulary_.tokens.size());
    return with_context({.where = where_}, [&] {
      return std::make_unique<BpeTokenizer>(std::move(vocabulary_), std::move(ends));
    });
  }

 private:
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
      fail(quote(name) + " is not supported", "Split or Digits, then ByteLevel",
           std::to_string(parts.size()) + " parts");
    }
    const std::string first = name + ".pretokenizers[0]", second = name + ".pretokenizers[1]";
    if (member(parts[0], "type") == Json("Digits")) {
      require_keys(parts[0], first, {"type", "individual_digits"});
      require(first + ".individual_digits", flag(parts[0], first, "individual_digits", false),
              true);
      vocabulary_.regex = Regex::smollm;
      read_byte_level(parts[1], second, true);
      return;
    }
    read_split(parts[0], first);
    read_byte_level(parts[1], second, false);
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
    // The regexes leave nothing between their matches: to remove it is to keep the matches.
    const bool inverted = flag(part, name, "invert", false);
    require(name + ".behavior", member(part, "behavior"), inverted ? "Removed" : "Isolated");
    const Json& regex = member(member(part, "pattern"), "Regex");
    if (regex == Json(kGpt4Regex)) {
      vocabulary_.regex = Regex::gpt4;
    } else if (regex == Json(kQwen2Regex)) {
      vocabulary_.regex = Regex::qwen2;
    } else if (regex != Json(kGpt2Regex)) {
      fail(quote(name + ".pattern") + " is not supported",
           "the regex of GPT-2, GPT-4, Llama-3 or Qwen2, as Hugging Face's files write it",
           member(part, "pattern").dump());
    }
  }

  void read_model(const Json& model) {
    require_model(model);
    // unk_token, fuse_unk and byte_fallback say what to do about a byte without a token, which is
    // an error where a text has it.
    vocabulary_.ignore_merges = flag(model, "model", "ignore_merges", false);
    names_ = read_names(model);
    ids_ = ids_of(names_);
    for (const std::string& name : names_) {
      // The text of an added token is not mapped; add_tokens checks that it is one.
      vocabulary_.tokens.push_back(from_byte_characters(name).value_or(""));
    }
    vocabulary_.merges = read_merges(model, ids_);
  }

  // Their texts are tokens as they are.
  void add_tokens() {
    vocabulary_.added = read_added_tokens(ids_);
    // In its normal form a text has others than in itself, but for spaces.
    for (const Json& token : member(file_, "added_tokens").as_array("")) {
      const std::string& text = member(token, "content").as_string("");
      const bool is_spaces = text.find_first_not_of(' ') == text.npos;
      if (!vocabulary_.nfc || is_spaces || !flag(token, "", "normalized", false)) continue;
      fail("added token " + quote(text) + " is not supported with NFC", "not \"normalized\"");
    }
    for (const AddedToken& token : vocabulary_.added) {
      const auto id = static_cast<size_t>(token.id);
      if (id >= vocabulary_.tokens.size()) vocabulary_.tokens.resize(id + 1);
      vocabulary_.tokens[id] = token.text;
    }
    for (size_t id = 0; id < names_.size(); ++id) {
      if (!vocabulary_.tokens[id].empty()) continue;
      fail("token " + quote(names_[id]) + " is neither added nor made of byte-level characters");
    }
  }

  BpeVocabulary vocabulary_;
  std::vector<std::string> names_;  // of model.vocab, by id
  TokenIdsByName ids_;              // views of names_
};

}  // namespace

std::unique_ptr<BpeTokenizer> bpe_from_json(const Json& file, const std::string& where) {
  return BpeReader(file, where).read();
}

}  // namespace cria
