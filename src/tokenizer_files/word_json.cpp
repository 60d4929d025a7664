#include "tokenizer_files/word_json.h"

#include <utility>

#include "cria/base/error.h"
#include "text/word_tokenizer.h"
#include "tokenizer_files/json_parts.h"

namespace cria {
namespace {

// What matches is a token; what is between the matches is not.
Json word_split() {
  return Json::Object{{"type", "Split"},
                      {"pattern", Json::Object{{"Regex", R"(\p{L}+|\p{N}+|[^\s\p{L}\p{N}])"}}},
                      {"behavior", "Removed"},
                      {"invert", true}};
}

class WordReader : JsonParts {
 public:
  WordReader(const Json& file, const std::string& where) : JsonParts(file, where) {}

  std::unique_ptr<Tokenizer> read() const {
    require_file();
    if (!has_no_normalizer()) require("normalizer", member(file_, "normalizer"), nullptr);
    require_same("pre_tokenizer", word_split());
    require("decoder", member(file_, "decoder"), nullptr);
    const Json& model = member(file_, "model");
    require_keys(model, "model", {"type", "vocab", "unk_token"});
    require("model.unk_token", member(model, "unk_token"), kUnknownWord);
    std::vector<std::string> words = read_names(model);
    if (words.empty() || words[0] != kUnknownWord) {
      fail("id 0 is another word", kUnknownWord, words.empty() ? "none" : words[0]);
    }
    std::vector<AddedToken> added = read_added_tokens(ids_of(words));
    const TextEnds ends = read_ends(words.size() + added.size());
    words.erase(words.begin());
    return with_context({.where = where_}, [&] {
      std::unique_ptr<Tokenizer> tokenizer =
          make_word_tokenizer(std::move(words), std::move(added));
      tokenizer->set_ends(ends);
      return tokenizer;
    });
  }

 private:
  void require_same(const std::string& key, const Json& expected) const {
    const Json& found = member(file_, key);
    if (found == expected) return;
    fail("'" + key + "' is not supported", expected.dump(), found.dump(),
         "words must be as 'cria prepare' writes them");
  }
};

}  // namespace

Json word_json(TokenizerLayout whole) {
  Json model = Json::Object{
      {"type", "WordLevel"}, {"vocab", std::move(whole.vocabulary)}, {"unk_token", kUnknownWord}};
  whole.pre_tokenizer = word_split();
  whole.decoder = nullptr;
  Json file = to_json(std::move(whole));
  file.set("model", std::move(model));
  return file;
}

std::unique_ptr<Tokenizer> words_from_json(const Json& file, const std::string& where) {
  return WordReader(file, where).read();
}

}  // namespace cria
