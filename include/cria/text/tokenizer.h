// Text to token ids and back.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace cria {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  virtual std::string kind() const = 0;  // "bytes", "chars"
  virtual int64_t vocab_size() const = 0;

  // The bytes that a token stands for; id in [0, vocab_size()).
  virtual std::string_view token(int32_t id) const = 0;

  // Appends the ids of text to out. `where` names the text in errors and `offset` is its first
  // byte's place there (text may be a piece of a file that cuts no character). Error naming where
  // and byte for what has no token.
  virtual void encode(std::string_view text, std::vector<int32_t>& out, const std::string& where,
                      uint64_t offset = 0) const = 0;

  // The first place at or after `from` where text may be cut and both sides encoded one by one, or
  // text.size(). Here: between characters.
  virtual size_t find_cut(std::string_view text, size_t from) const;

  // Error for an id outside the vocabulary.
  std::string decode(const std::vector<int32_t>& ids) const;
};

// Token id = byte.
std::unique_ptr<Tokenizer> make_byte_tokenizer();

// One token per code point, ids in code-point order, as nanoGPT's shakespeare_char.
// characters: sorted, distinct code points. Error when there are none.
std::unique_ptr<Tokenizer> make_char_tokenizer(const std::vector<uint32_t>& characters);

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
