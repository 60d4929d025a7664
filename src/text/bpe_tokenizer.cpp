#include "cria/text/bpe_tokenizer.h"

#include <utility>

#include "cria/text/word_counts.h"

namespace cria {

BpeTokenizer::BpeTokenizer(BpeVocabulary vocabulary, TextEnds ends)
    : bpe_(std::move(vocabulary)), ends_(std::move(ends)) {
  bpe_.decode(ends_.before);
  bpe_.decode(ends_.after);
}

int64_t BpeTokenizer::vocab_size() const {
  return static_cast<int64_t>(bpe_.vocabulary().tokens.size());
}

std::string_view BpeTokenizer::token(int32_t id) const {
  return bpe_.vocabulary().tokens[static_cast<size_t>(id)];
}

void BpeTokenizer::encode(std::string_view text, std::vector<int32_t>& out, const std::string&,
                          uint64_t) const {
  bpe_.encode(text, out, false);
}

size_t BpeTokenizer::find_cut(std::string_view text, size_t from) const {
  return cria::find_cut(bpe_.vocabulary().pattern, text, from);
}

}  // namespace cria
