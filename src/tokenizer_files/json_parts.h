// The parts of a tokenizer.json that all kinds of tokenizers share: added tokens, merges, and what
// is put around a text.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cria/base/json.h"
#include "cria/text/tokenizer.h"
#include "text/bpe_merges.h"

namespace cria {

// added_tokens, in the order of ids.
Json::Array added_tokens_json(std::vector<AddedToken> added);

// null, or a TemplateProcessing. name(id): the token as the file writes it.
Json post_processor_json(const TextEnds& ends, const std::function<std::string(int32_t)>& name);

using TokenIdsByName = std::unordered_map<std::string_view, int32_t>;

// What every reader of the file needs. Errors name the file and the key.
class JsonParts {
 protected:
  JsonParts(const Json& file, const std::string& where) : file_(file), where_(where) {}

  [[noreturn]] void fail(const std::string& summary, const std::string& expected = {},
                         const std::string& got = {}, const std::string& hint = {}) const;
  static std::string shown(const Json& value);
  std::string at(const std::string& key) const { return where_ + ": " + key; }

  // null when it is missing.
  static const Json& member(const Json& object, std::string_view key);
  bool flag(const Json& object, const std::string& name, const char* key, bool missing) const;
  void require(const std::string& key, const Json& found, const Json& expected) const;
  void require_keys(const Json& object, const std::string& name,
                    const std::vector<std::string>& known) const;

  // What all files have in common: their keys and version. How texts are cut off and padded is left
  // there by training scripts and changes no id of a text.
  void require_file() const;

  // Whether the normalizer changes nothing: null, or an empty Sequence.
  bool has_no_normalizer() const;

  // What all models have in common; unk_token, fuse_unk, byte_fallback and ignore_merges are left.
  void require_model(const Json& model) const;
  std::vector<BpeMerge> read_merges(const Json& model, const TokenIdsByName& ids) const;

  // model.vocab, by id.
  std::vector<std::string> read_names(const Json& model) const;
  static TokenIdsByName ids_of(const std::vector<std::string>& names);  // views of them

  // ids: of the vocabulary.
  std::vector<AddedToken> read_added_tokens(const TokenIdsByName& ids) const;

  // count: ids that there are.
  TextEnds read_ends(size_t count) const;

  const Json& file_;
  const std::string& where_;

 private:
  std::optional<BpeMerge> read_merge(const Json& merge, const std::string& name,
                                     const TokenIdsByName& ids) const;
  void require_apart(const std::string& a, const std::string& b) const;
  void read_post_processor(const Json& processor, const std::string& name, size_t count,
                           TextEnds& ends) const;
  void read_template(const Json& processor, const std::string& name, size_t count,
                     TextEnds& ends) const;
};

}  // namespace cria
