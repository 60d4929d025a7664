#include "cria/text/tokenizer_json.h"

#include <utility>

#include "cria/base/error.h"
#include "cria/base/json.h"
#include "cria/base/rng.h"
#include "cria/base/unicode.h"
#include "cria/text/bpe_json.h"
#include "cria/text/byte_characters.h"
#include "tokenizer_layout.h"
#include "tokens_by_id.h"

namespace cria {
namespace {

// The whole file. Both forms are a BPE without merges and differ in what surrounds it: bytes are
// mapped to their stand-ins before it and back after it; characters are only joined.
Json layout(bool bytes, Json vocabulary) {
  Json pre_tokenizer, decoder = Json::Object{{"type", "Fuse"}};
  if (bytes) {
    pre_tokenizer = Json::Object{{"type", "ByteLevel"},
                                 {"add_prefix_space", false},
                                 {"trim_offsets", false},
                                 {"use_regex", false}};
    decoder = pre_tokenizer;
  }
  return to_json(
      {.pre_tokenizer = pre_tokenizer, .decoder = decoder, .vocabulary = std::move(vocabulary)});
}

// Compares one file with the layout.
class Reader {
 public:
  Reader(const Json& file, const std::string& path) : file_(file), path_(path) {}

  std::unique_ptr<Tokenizer> read() const {
    file_.as_object(path_);
    const bool bytes = has(file_, "decoder", "type", "ByteLevel");
    if (bytes && !has(file_, "pre_tokenizer", "use_regex", false)) {
      return bpe_from_json(file_, path_);
    }
    require_same(layout(bytes, Json::Object{}), file_, "");
    const Json::Object& vocabulary = file_.find("model")->find("vocab")->as_object(path_);
    if (vocabulary.empty()) fail("the vocabulary is empty", "at least one token", "none");
    const std::vector<std::string> tokens = tokens_by_id(vocabulary, path_);
    if (bytes) {
      require_byte_order(tokens);
      return make_byte_tokenizer();
    }
    return make_char_tokenizer(characters(tokens));
  }

 private:
  [[noreturn]] void fail(const std::string& summary, const std::string& expected,
                         const std::string& got) const {
    throw Error(summary, {.where = path_,
                          .expected = expected,
                          .got = got,
                          .hint = "of tokenizers that are no byte-level BPE, only what "
                                  "`cria prepare` writes for bytes and chars is read"});
  }

  static bool has(const Json& file, const char* part, const char* key, const Json& value) {
    const Json* const object = file.find(part);
    const Json* const member = object ? object->find(key) : nullptr;
    return member && *member == value;
  }

  static std::string shown(const Json& value) {
    if (value.is_array()) return "array of " + std::to_string(value.as_array("").size());
    return value.is_object() ? value.kind_name() : value.dump();
  }

  void require_same(const Json& expected, const Json& found, const std::string& key) const {
    const bool vocabulary = key == "model.vocab";
    if (vocabulary && found.is_object()) return;
    if (!expected.is_object() || !found.is_object()) {
      if (expected == found) return;
      fail(quote(key) + " is not supported", shown(expected), shown(found));
    }
    const std::string prefix = key.empty() ? "" : key + ".";
    for (const auto& [name, value] : expected.as_object(path_)) {
      const Json* const member = found.find(name);
      if (!member) fail("missing key " + quote(prefix + name), shown(value), "nothing");
      require_same(value, *member, prefix + name);
    }
    for (const auto& [name, value] : found.as_object(path_)) {
      if (!expected.find(name)) {
        fail("key " + quote(prefix + name) + " is not supported", "no such key", shown(value));
      }
    }
  }

  void require_byte_order(const std::vector<std::string>& tokens) const {
    const auto& expected = byte_characters();
    if (tokens.size() != expected.size()) {
      fail("not a vocabulary of bytes", "256 tokens", std::to_string(tokens.size()));
    }
    for (size_t byte = 0; byte < expected.size(); ++byte) {
      if (tokens[byte] == expected[byte]) continue;
      fail("id " + std::to_string(byte) + " is not the byte of that value",
           "token " + quote(expected[byte]), "token " + quote(tokens[byte]));
    }
  }

  std::vector<uint32_t> characters(const std::vector<std::string>& tokens) const {
    std::vector<uint32_t> characters;
    for (const std::string& token : tokens) {
      const Decoded character = decode_utf8(token, 0);
      if (static_cast<size_t>(character.length) != token.size()) {
        fail("a token of several characters", "one character", quote(token));
      }
      if (!characters.empty() && character.code_point < characters.back()) {
        fail("ids are not in the order of code points",
             quote(token) + " before " + quote(tokens[characters.size() - 1]),
             "id " + std::to_string(characters.size()) + " for " + quote(token));
      }
      characters.push_back(character.code_point);
    }
    return characters;
  }

  const Json& file_;
  const std::string& path_;
};

}  // namespace

std::string tokenizer_json(const Tokenizer& tokenizer) {
  if (const auto* const bpe = dynamic_cast<const BpeTokenizer*>(&tokenizer)) {
    return bpe_json(*bpe).dump(2) + "\n";
  }
  const bool bytes = tokenizer.kind() == "bytes";
  const auto& stand_ins = byte_characters();
  Json::Object vocabulary;
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    vocabulary.emplace_back(bytes ? stand_ins[static_cast<size_t>(id)] : tokenizer.token(id), id);
  }
  return layout(bytes, std::move(vocabulary)).dump(2) + "\n";
}

std::string tokenizer_hash(const Tokenizer& tokenizer) {
  uint64_t hash = fnv1a(tokenizer_json(tokenizer));
  std::string digits(16, '0');
  for (size_t i = digits.size(); i-- > 0; hash >>= 4) digits[i] = "0123456789abcdef"[hash & 15];
  return "fnv1a:" + digits;
}

std::unique_ptr<Tokenizer> tokenizer_from_json(const Json& file, const std::string& where) {
  return Reader(file, where).read();
}

}  // namespace cria
