// Byte-level byte pair encoding: text to ids by merging neighbours, and back.
// Source: Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", ACL 2016.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cria/text/tokenizer.h"
#include "text/bpe_merges.h"
#include "text/pretokenizer.h"

namespace cria {

struct BpeVocabulary {
  std::vector<std::string> tokens;  // the bytes of each id, added tokens included
  std::vector<BpeMerge> merges;     // in order of rank
  std::vector<AddedToken> added;
  Regex regex = Regex::gpt2;
  bool ignore_merges = false;  // a piece that is a token is that token, whatever the merges say
  bool nfc = false;            // what is between added tokens is first put in this form
};

class AddedTokens;
class BpeCaches;

// Any number of threads may use one at the same time.
class BpeTokenizer : public Tokenizer {
 public:
  // Error for a vocabulary that is not consistent: no byte with a token, two tokens alike, a merge
  // that does not make its result, ...; for ends outside it.
  explicit BpeTokenizer(BpeVocabulary vocabulary, TextEnds ends = {});
  ~BpeTokenizer() override;

  std::string kind() const override { return "bpe"; }
  int64_t vocab_size() const override { return std::ssize(vocabulary_.tokens); }
  std::string_view token(int32_t id) const override {
    return vocabulary_.tokens[static_cast<size_t>(id)];
  }

  // The first byte of a piece that encode_piece has no token for; piece.size() if there is none.
  size_t first_without_token(std::string_view piece) const;

  // Appends the ids of one piece: starting from single bytes, the neighbours whose merge has the
  // lowest rank are merged, the leftmost among equals, until none are left. n log n; a piece of
  // 2 GiB or more is an Error, as is, naming the place (of a piece at byte `offset` of `where`), a
  // byte without a token: some vocabularies lack bytes that hardly a text has.
  void encode_piece(std::string_view piece, std::vector<int32_t>& ids,
                    const std::string& where = "piece", uint64_t offset = 0) const;

  // Added tokens are split off first, the leftmost, of several there the longest.
  void encode(std::string_view text, std::vector<int32_t>& out, const std::string& where,
              uint64_t offset = 0, bool allow_special = false) const override;

  // A cut is between two pieces, where what follows does not matter.
  size_t find_cut(std::string_view text, size_t from) const override;

  const std::vector<AddedToken>& added_tokens() const override { return vocabulary_.added; }
  std::unique_ptr<Tokenizer> with_added(std::vector<AddedToken> added) const override;
  const BpeVocabulary* bpe_vocabulary() const override { return &vocabulary_; }

 private:
  void index_tokens();

  BpeVocabulary vocabulary_;
  std::array<int32_t, 256> byte_ids_{};
  bool lacks_bytes_ = false;
  std::unordered_map<std::string_view, int32_t> ids_;  // of what is not added, with ignore_merges
  std::unique_ptr<BpeMerges> merges_;
  std::unique_ptr<AddedTokens> added_;
  std::unique_ptr<BpeCaches> caches_;
};

}  // namespace cria
