#include "text/word_tokenizer.h"

#include <unordered_map>
#include <utility>

#include "text/plain_tokenizer.h"
#include "text/pretokenizer.h"

namespace cria {
namespace {

class WordTokenizer : public PlainTokenizer {
 public:
  WordTokenizer(std::vector<std::string> words, std::vector<AddedToken> added)
      : PlainTokenizer(std::ssize(words) + 1, std::move(added)) {
    words.insert(words.begin(), kUnknownWord);
    for (const std::string& word : words) {
      if (word.empty()) throw Error("empty word", {.expected = "at least one byte"});
      const auto id = static_cast<int32_t>(tokens_.size());
      if (!ids_.emplace(word, id).second) throw Error("word " + quote(word) + " is there twice");
      tokens_.push_back(" " + word);
    }
    set_special_tokens({.unk = 0});
  }

  std::string kind() const override { return "words"; }
  bool adds_space() const override { return true; }

  std::unique_ptr<Tokenizer> with_added(std::vector<AddedToken> added) const override {
    std::vector<std::string> words;
    for (size_t id = 1; id < tokens_.size(); ++id) words.push_back(tokens_[id].substr(1));
    return std::make_unique<WordTokenizer>(std::move(words), std::move(added));
  }

 protected:
  size_t find_own_cut(std::string_view text, size_t from) const override {
    return cria::find_cut(Regex::words, text, from);
  }

  std::string_view own_token(int32_t id) const override { return tokens_[id]; }

  void encode_own(std::string_view text, std::vector<int32_t>& out, const std::string&,
                  uint64_t) const override {
    std::string word;
    for (size_t begin = 0, end; begin < text.size(); begin = end) {
      end = piece_end(Regex::words, text, begin);
      if (is_space(text, begin)) continue;
      word = text.substr(begin, end - begin);
      const auto found = ids_.find(word);
      out.push_back(found == ids_.end() ? 0 : found->second);
    }
  }

 private:
  std::vector<std::string> tokens_;  // " " and the word, by id
  std::unordered_map<std::string, int32_t> ids_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_word_tokenizer(std::vector<std::string> words,
                                               std::vector<AddedToken> added) {
  return std::make_unique<WordTokenizer>(std::move(words), std::move(added));
}

}  // namespace cria
