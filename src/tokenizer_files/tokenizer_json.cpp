#include "tokenizer_files/tokenizer_json.h"

#include <algorithm>
#include <utility>

#include "base/checksum.h"
#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/base/rng.h"
#include "tokenizer_files/bpe_json.h"
#include "tokenizer_files/byte_characters.h"
#include "tokenizer_files/json_parts.h"
#include "tokenizer_files/sentencepiece_json.h"
#include "tokenizer_files/tokenizer_layout.h"
#include "tokenizer_files/word_json.h"

namespace cria {
namespace {

// The whole file. Both forms are a BPE without merges and differ in what surrounds it: bytes are
// mapped to their stand-ins before it and back after it; characters are only joined.
TokenizerLayout layout(bool bytes) {
  TokenizerLayout layout = {.decoder = Json::Object{{"type", "Fuse"}}};
  if (bytes) {
    layout.decoder = layout.pre_tokenizer = Json::Object{{"type", "ByteLevel"},
                                                         {"add_prefix_space", false},
                                                         {"trim_offsets", false},
                                                         {"use_regex", false}};
  }
  return layout;
}

// Compares one file with the layout.
class LayoutReader : JsonParts {
 public:
  LayoutReader(const Json& file, const std::string& where) : JsonParts(file, where) {}

  std::unique_ptr<Tokenizer> read() const {
    require_file();
    if (has("model", "type", "WordLevel")) return words_from_json(file_, where_);
    const bool bytes = has("decoder", "type", "ByteLevel");
    if (!bytes && has("model", "byte_fallback", true)) {
      return sentencepiece_from_json(file_, where_);
    }
    if (bytes && !has("pre_tokenizer", "use_regex", false)) return bpe_from_json(file_, where_);
    require_same(to_json(layout(bytes)), file_, "");
    const std::vector<std::string> tokens = read_names(member(file_, "model"));
    if (tokens.empty()) refuse("the vocabulary is empty", "at least one token", "none");
    std::vector<AddedToken> added = read_added_tokens(ids_of(tokens));
    for (const auto& [text, id, special] : added) {
      if (static_cast<size_t>(id) >= tokens.size()) continue;
      refuse("added token " + quote(text) + " is in the vocabulary", "another one", quote(text));
    }
    const TextEnds ends = read_ends(tokens.size() + added.size());
    if (bytes) require_byte_order(tokens);
    const std::vector<uint32_t> code_points = bytes ? std::vector<uint32_t>() : characters(tokens);
    return with_context({.where = where_}, [&] {
      std::unique_ptr<Tokenizer> tokenizer =
          bytes ? make_byte_tokenizer(std::move(added))
                : make_char_tokenizer(code_points, std::move(added));
      tokenizer->set_ends(ends);
      return tokenizer;
    });
  }

 private:
  [[noreturn]] void refuse(const std::string& summary, const std::string& expected,
                           const std::string& got) const {
    fail(summary, expected, got,
         "all but byte-level BPE must be as 'cria prepare' writes it for bytes or chars");
  }

  bool has(const char* part, const char* key, const Json& value) const {
    return member(member(file_, part), key) == value;
  }

  void require_same(const Json& expected, const Json& found, const std::string& key) const {
    if (key == "added_tokens" || key == "post_processor") return;  // read by themselves
    if (key == "truncation" || key == "padding") return;           // of no matter
    if (key == "normalizer" && has_no_normalizer()) return;
    if (key == "model.vocab" && found.is_object()) return;
    if (!expected.is_object() || !found.is_object()) {
      if (expected == found) return;
      refuse(quote(key) + " is not supported", shown(expected), shown(found));
    }
    const std::string prefix = key.empty() ? "" : key + ".";
    for (const auto& [name, value] : expected.as_object(where_)) {
      const Json* const other = found.find(name);
      if (!other) refuse("missing key " + quote(prefix + name), shown(value), "nothing");
      require_same(value, *other, prefix + name);
    }
    for (const auto& [name, value] : found.as_object(where_)) {
      if (!expected.find(name)) {
        refuse("key " + quote(prefix + name) + " is not supported", "no such key", shown(value));
      }
    }
  }

  void require_byte_order(const std::vector<std::string>& tokens) const {
    const auto& expected = byte_characters();
    if (tokens.size() != expected.size()) {
      refuse("not a vocabulary of bytes", "256 tokens", std::to_string(tokens.size()));
    }
    for (size_t byte = 0; byte < expected.size(); ++byte) {
      if (tokens[byte] == expected[byte]) continue;
      refuse("id " + std::to_string(byte) + " is not the byte of that value",
             "token " + quote(expected[byte]), "token " + quote(tokens[byte]));
    }
  }

  std::vector<uint32_t> characters(const std::vector<std::string>& tokens) const {
    std::vector<uint32_t> characters;
    for (const std::string& token : tokens) {
      const Decoded character = decode_utf8(token, 0);
      if (static_cast<size_t>(character.length) != token.size()) {
        refuse("a token of several characters", "one character", quote(token));
      }
      if (!characters.empty() && character.code_point < characters.back()) {
        refuse("ids are not in the order of code points",
               quote(token) + " before " + quote(tokens[characters.size() - 1]),
               "id " + std::to_string(characters.size()) + " for " + quote(token));
      }
      characters.push_back(character.code_point);
    }
    return characters;
  }
};

}  // namespace

std::string tokenizer_json(const Tokenizer& tokenizer) {
  if (const BpeVocabulary* const bpe = tokenizer.bpe_vocabulary()) {
    return bpe_json(*bpe, tokenizer.ends()).dump(2) + "\n";
  }
  if (const SentencePieceVocabulary* const pieces = tokenizer.sentencepiece_vocabulary()) {
    return sentencepiece_json(*pieces, tokenizer.ends()).dump(2) + "\n";
  }
  const std::vector<AddedToken>& added = tokenizer.added_tokens();
  const auto name = [&](int32_t id) { return token_name(tokenizer, id); };
  Json::Object vocabulary;
  for (int32_t id = 0; id < tokenizer.vocab_size() - std::ssize(added); ++id) {
    vocabulary.emplace_back(name(id), id);
  }
  TokenizerLayout whole = layout(tokenizer.kind() == "bytes");
  whole.added_tokens = added_tokens_json(added);
  whole.post_processor = post_processor_json(tokenizer.ends(), name);
  whole.vocabulary = std::move(vocabulary);
  const bool words = tokenizer.kind() == "words";
  return (words ? word_json(std::move(whole)) : to_json(std::move(whole))).dump(2) + "\n";
}

std::string token_name(const Tokenizer& tokenizer, int32_t id) {
  if (const SentencePieceVocabulary* const pieces = tokenizer.sentencepiece_vocabulary()) {
    return pieces->names[static_cast<size_t>(id)];
  }
  const std::string_view token = tokenizer.token(id);
  const auto is_id = [&](const AddedToken& added) { return added.id == id; };
  const bool is_added = std::ranges::any_of(tokenizer.added_tokens(), is_id);
  if (tokenizer.kind() == "words" && !is_added) return std::string(token.substr(1));
  const bool plain = tokenizer.kind() == "chars" || is_added;
  return plain ? std::string(token) : to_byte_characters(token);
}

std::optional<int32_t> find_token(const Tokenizer& tokenizer, const std::string& name) {
  for (const AddedToken& added : tokenizer.added_tokens()) {
    if (added.text == name) return added.id;
  }
  if (const SentencePieceVocabulary* const pieces = tokenizer.sentencepiece_vocabulary()) {
    const auto found = std::ranges::find(pieces->names, name);
    if (found == pieces->names.end()) return std::nullopt;
    return static_cast<int32_t>(found - pieces->names.begin());
  }
  const std::optional<std::string> bytes = tokenizer.kind() == "chars" ? name
                                           : tokenizer.kind() == "words"
                                               ? " " + name
                                               : from_byte_characters(name);
  for (int32_t id = 0; bytes && id < tokenizer.vocab_size(); ++id) {
    if (tokenizer.token(id) == *bytes && token_name(tokenizer, id) == name) return id;
  }
  return std::nullopt;
}

std::string tokenizer_hash(const Tokenizer& tokenizer) {
  return "fnv1a:" + hexadecimal(fnv1a(tokenizer_json(tokenizer)));
}

std::unique_ptr<Tokenizer> tokenizer_from_json(const Json& file, const std::string& where) {
  return LayoutReader(file, where).read();
}

}  // namespace cria
