// Byte pair encoding over characters, as SentencePiece does it and Llama 2 and Mistral use it:
// spaces are U+2581, one stands in front of a text, and a character without a token is its bytes.
// Source: Kudo and Richardson, "SentencePiece: A simple and language independent subword tokenizer
// and detokenizer for Neural Text Processing", EMNLP 2018.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "cria/text/tokenizer.h"
#include "text/bpe_merges.h"

namespace cria {

// Which parts of a text get a space in front. Added tokens divide a text into parts.
enum class FrontSpace {
  each_part,     // every part, whatever it begins with
  spaceless,     // every part that does not begin with a space itself
  at_beginning,  // the same, and only where the text begins
  never,         // none
};

std::string byte_name(uint8_t byte);  // of its token: "<0x0A>"

struct SentencePieceVocabulary {
  std::vector<std::string> names;  // by id: "\u2581the", "<0x0A>"; of added tokens their text
  size_t own = 0;                  // the first of them take part in merging; the rest are added
  std::vector<BpeMerge> merges;    // in order of rank
  std::vector<AddedToken> added;
  FrontSpace front = FrontSpace::each_part;
};

class AddedTokens;
class BpeCaches;

// decode() gives a text back, but for two things that the ids do not tell: U+2581 in it comes back
// as a space, and with `spaceless` and `at_beginning` a first space is taken for the one in front.
class SentencePieceTokenizer : public Tokenizer {
 public:
  // Error for a vocabulary that is not consistent: a byte or the space without a token, two tokens
  // alike, a merge that does not make its result, one of a byte, ...; for ends outside it.
  explicit SentencePieceTokenizer(SentencePieceVocabulary vocabulary, TextEnds ends = {});
  ~SentencePieceTokenizer() override;

  std::string kind() const override { return "sentencepiece"; }
  int64_t vocab_size() const override;

  // U+2581 as a space, and <0x0A> as that byte.
  std::string_view token(int32_t id) const override;

  // Any bytes: one outside valid UTF-8 is its token.
  void encode(std::string_view text, std::vector<int32_t>& out, const std::string& where,
              uint64_t offset = 0, bool allow_special = false) const override;
  void encode_after_cut(std::string_view text, std::vector<int32_t>& out, const std::string& where,
                        uint64_t offset) const override;

  // Cuts are between characters that no token has side by side, or after a MiB without one.
  size_t find_cut(std::string_view text, size_t from) const override;

  bool adds_space() const override { return vocabulary_.front != FrontSpace::never; }
  const std::vector<AddedToken>& added_tokens() const override { return vocabulary_.added; }
  std::unique_ptr<Tokenizer> with_added(std::vector<AddedToken> added) const override;
  const SentencePieceVocabulary* sentencepiece_vocabulary() const override { return &vocabulary_; }

 private:
  void index_tokens();
  void index_neighbors();
  void check_all_known() const;
  bool has_side_by_side(uint32_t left, uint32_t right) const;
  bool is_cut(std::string_view text, size_t at) const;
  size_t piece_end(std::string_view text, size_t begin) const;
  bool gets_space(std::string_view part, bool begins) const;
  void encode_text(std::string_view text, bool begins, bool allow_special,
                   std::vector<int32_t>& ids) const;
  void encode_piece(std::string_view piece, std::vector<int32_t>& ids) const;

  SentencePieceVocabulary vocabulary_;
  std::vector<std::string> tokens_;  // the bytes of each
  std::array<int32_t, 256> byte_ids_{};
  std::vector<int32_t> character_ids_;      // by code point, up to the vocabulary's last
  std::vector<bool> ascii_neighbors_;       // [left * 128 + right], U+2581 as a space
  std::unordered_set<uint64_t> neighbors_;  // the others
  std::unique_ptr<BpeMerges> merges_;
  std::unique_ptr<AddedTokens> added_;
  std::unique_ptr<BpeCaches> caches_;
};

}  // namespace cria
