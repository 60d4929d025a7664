#include "cria/text/tokenizer_json.h"

#include <algorithm>
#include <array>
#include <utility>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/base/json.h"
#include "cria/base/rng.h"
#include "cria/base/unicode.h"

namespace cria {
namespace {

// GPT-2's printable stand-ins for bytes: a byte that is a printable, unspaced Latin-1 character
// stands for itself, the other 68 take U+0100 and on, in order.
std::array<std::string, 256> byte_characters() {
  std::array<std::string, 256> characters;
  uint32_t next = 0x100;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const bool itself = (byte > 32 && byte < 127) || (byte > 160 && byte != 173);
    append_utf8(characters[byte], itself ? byte : next++);
  }
  return characters;
}

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
  return Json::Object{{"version", "1.0"},
                      {"truncation", nullptr},
                      {"padding", nullptr},
                      {"added_tokens", Json::Array{}},
                      {"normalizer", nullptr},
                      {"pre_tokenizer", pre_tokenizer},
                      {"post_processor", nullptr},
                      {"decoder", decoder},
                      {"model", Json::Object{{"type", "BPE"},
                                             {"dropout", nullptr},
                                             {"unk_token", nullptr},
                                             {"continuing_subword_prefix", nullptr},
                                             {"end_of_word_suffix", nullptr},
                                             {"fuse_unk", false},
                                             {"byte_fallback", false},
                                             {"ignore_merges", false},
                                             {"vocab", std::move(vocabulary)},
                                             {"merges", Json::Array{}}}}};
}

// Compares one file with the layout.
class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {}

  std::unique_ptr<Tokenizer> read() const {
    const Json file = Json::parse(MappedFile(path_).bytes(), path_);
    file.as_object(path_);
    const Json* const decoder = file.find("decoder");
    const Json* const type = decoder ? decoder->find("type") : nullptr;
    const bool bytes = type && *type == Json("ByteLevel");
    require_same(layout(bytes, Json::Object{}), file, "");
    const std::vector<std::string> tokens = tokens_by_id(*file.find("model")->find("vocab"));
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
                          .hint = "only what `cria prepare` writes for bytes and chars is read"});
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

  std::vector<std::string> tokens_by_id(const Json& vocabulary) const {
    const Json::Object& entries = vocabulary.as_object(path_);
    const int64_t count = static_cast<int64_t>(entries.size());
    if (count == 0) fail("the vocabulary is empty", "at least one token", "none");
    std::vector<std::string> tokens(entries.size());
    for (const auto& [token, value] : entries) {
      const int64_t id = value.as_int(path_ + ": the id of token " + quote(token));
      if (token.empty()) fail("empty token", "at least one character", "id " + shown(value));
      if (id < 0 || id >= count) {
        fail("ids with holes: token " + quote(token) + " in a vocabulary of " +
                 std::to_string(count),
             "0 to " + std::to_string(count - 1), std::to_string(id));
      }
      std::string& place = tokens[static_cast<size_t>(id)];
      if (!place.empty()) {
        fail("two tokens have the id " + std::to_string(id), "one token for each id",
             quote(place) + " and " + quote(token));
      }
      place = token;
    }
    return tokens;
  }

  void require_byte_order(const std::vector<std::string>& tokens) const {
    const auto expected = byte_characters();
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

  const std::string& path_;
};

}  // namespace

std::string tokenizer_json(const Tokenizer& tokenizer) {
  const bool bytes = tokenizer.kind() == "bytes";
  const auto stand_ins = byte_characters();
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

std::unique_ptr<Tokenizer> read_tokenizer(const std::string& path) {
  return Reader(path).read();
}

}  // namespace cria
