// A byte-level BPE as a tokenizer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cria/text/tokenizer.h"
#include "text/bpe.h"

namespace cria {

class BpeTokenizer : public Tokenizer {
 public:
  // Error for a vocabulary that is not consistent, or ends outside it.
  explicit BpeTokenizer(BpeVocabulary vocabulary, TextEnds ends = {});

  std::string kind() const override { return "bpe"; }
  int64_t vocab_size() const override;
  std::string_view token(int32_t id) const override;

  void encode(std::string_view text, std::vector<int32_t>& out, const std::string& where,
              uint64_t offset = 0, bool allow_special = false) const override;

  // A cut is between two pieces, where what follows does not matter.
  size_t find_cut(std::string_view text, size_t from) const override;

  const std::vector<AddedToken>& added_tokens() const override;
  std::unique_ptr<Tokenizer> with_added(std::vector<AddedToken> added) const override;
  const BpeVocabulary* bpe_vocabulary() const override { return &bpe_.vocabulary(); }

 private:
  Bpe bpe_;
};

}  // namespace cria
