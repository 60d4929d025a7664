// Text to token ids and back.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace cria {

struct BpeVocabulary;            // text/bpe
struct SentencePieceVocabulary;  // text/sentencepiece

// A token that is found in the text as it stands, before anything else is made of the text.
struct AddedToken {
  std::string text;
  int32_t id;
  bool special;  // plain text unless the caller asks for special tokens

  bool operator==(const AddedToken&) const = default;
};

// Ids of the tokens with a role, by Hugging Face's names: beginning and end of a text, padding,
// unknown. -1: none.
struct SpecialTokens {
  int32_t bos = -1, eos = -1, pad = -1, unk = -1;

  bool operator==(const SpecialTokens&) const = default;
};

// What is put around a text, such as a token for its beginning.
struct TextEnds {
  std::vector<int32_t> before, after;

  bool operator==(const TextEnds&) const = default;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  virtual std::string kind() const = 0;  // "bytes", "chars", "words", "bpe", "sentencepiece"
  virtual int64_t vocab_size() const = 0;

  // The bytes that a token stands for, of an added one its text; id in [0, vocab_size()).
  virtual std::string_view token(int32_t id) const = 0;

  // Appends the ids of text to out, and nothing around them. `where` names the text in errors and
  // `offset` is its first byte's place there (text may be a piece of a file, see find_cut). Special
  // tokens in it are text unless allow_special. Error naming where and byte for what has no token.
  virtual void encode(std::string_view text, std::vector<int32_t>& out, const std::string& where,
                      uint64_t offset = 0, bool allow_special = false) const = 0;

  // The same for what is behind a cut that find_cut made, where a text goes on and does not begin.
  virtual void encode_after_cut(std::string_view text, std::vector<int32_t>& out,
                                const std::string& where, uint64_t offset) const;

  // The ids of a text to go on from: ends().before, unless the text itself begins with these (which
  // it can with allow_special), then its own.
  std::vector<int32_t> encode_prompt(std::string_view text, const std::string& where,
                                     bool allow_special = false) const;

  // A place at or after `from` where text may be cut and both sides encoded one by one, or
  // text.size(). text itself must begin where one may be cut; what is more than kCutReach after
  // `from` makes no difference. Here: between characters.
  static constexpr size_t kCutReach = size_t{3} << 20;
  virtual size_t find_cut(std::string_view text, size_t from) const;

  // Whether encode puts a space in front of a text that decode takes away again.
  virtual bool adds_space() const { return false; }

  // Error for an id outside the vocabulary.
  std::string decode(const std::vector<int32_t>& ids) const;

  // What a token shows where text is wanted: its bytes, nothing for beginning and end of a text. A
  // space that encode put in front is not shown: `begins` says whether no token of the text came
  // before, and is set to whether none has come now.
  std::string_view shown(int32_t id, bool& begins) const;

  virtual const std::vector<AddedToken>& added_tokens() const;

  // The same vocabulary with these added tokens: added_tokens(), whose `special` may differ, then
  // new ones, which have the next ids. Roles and ends are not copied.
  virtual std::unique_ptr<Tokenizer> with_added(std::vector<AddedToken> added) const = 0;

  // What a tokenizer of this kind is made of; null for all other kinds.
  virtual const BpeVocabulary* bpe_vocabulary() const { return nullptr; }
  virtual const SentencePieceVocabulary* sentencepiece_vocabulary() const { return nullptr; }

  const SpecialTokens& special_tokens() const { return special_tokens_; }
  const TextEnds& ends() const { return ends_; }

  // Error for an id outside the vocabulary.
  void set_special_tokens(const SpecialTokens& tokens);
  void set_ends(TextEnds ends);

 private:
  void require_token(int64_t id) const;

  SpecialTokens special_tokens_;
  TextEnds ends_;
};

// Token id = byte; then the added tokens, which have the ids from 256 on, in order.
std::unique_ptr<Tokenizer> make_byte_tokenizer(std::vector<AddedToken> added = {});

// One token per code point, ids in code-point order, as nanoGPT's shakespeare_char; then the added
// tokens, in order. characters: sorted, distinct code points. Error when there are none.
std::unique_ptr<Tokenizer> make_char_tokenizer(const std::vector<uint32_t>& characters,
                                               std::vector<AddedToken> added = {});

// Collects the distinct code points of texts, piece by piece; a piece cuts no character.
class CharacterSet {
 public:
  CharacterSet() : seen_(0x110000) {}
  // Error naming where and the byte of invalid UTF-8.
  void add(std::string_view text, const std::string& where, uint64_t offset = 0);
  std::vector<uint32_t> sorted() const;

 private:
  std::vector<bool> seen_;
};

}  // namespace cria
