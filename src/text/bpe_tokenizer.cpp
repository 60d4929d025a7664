#include "text/bpe_tokenizer.h"

#include <utility>

namespace cria {

BpeTokenizer::BpeTokenizer(BpeVocabulary vocabulary, TextEnds ends) : bpe_(std::move(vocabulary)) {
  set_ends(std::move(ends));
}

int64_t BpeTokenizer::vocab_size() const {
  return static_cast<int64_t>(bpe_.vocabulary().tokens.size());
}

std::string_view BpeTokenizer::token(int32_t id) const {
  return bpe_.vocabulary().tokens[static_cast<size_t>(id)];
}

void BpeTokenizer::encode(std::string_view text, std::vector<int32_t>& out,
                          const std::string& where, uint64_t offset, bool allow_special) const {
  bpe_.encode(text, out, allow_special, where, offset);
}

size_t BpeTokenizer::find_cut(std::string_view text, size_t from) const {
  return bpe_.find_cut(text, from);
}

const std::vector<AddedToken>& BpeTokenizer::added_tokens() const {
  return bpe_.vocabulary().added;
}

std::unique_ptr<Tokenizer> BpeTokenizer::with_added(std::vector<AddedToken> added) const {
  BpeVocabulary vocabulary = bpe_.vocabulary();
  for (size_t i = vocabulary.added.size(); i < added.size(); ++i) {
    vocabulary.tokens.push_back(added[i].text);
  }
  vocabulary.added = std::move(added);
  return std::make_unique<BpeTokenizer>(std::move(vocabulary));
}

}  // namespace cria
