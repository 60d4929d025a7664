// Added tokens, found in text.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cria/text/tokenizer.h"

namespace cria {

inline unsigned char byte_of(char c) {
  return static_cast<unsigned char>(c);
}

class AddedTokens {
 public:
  // Error for an empty token, and for one that is there twice.
  explicit AddedTokens(std::vector<AddedToken> tokens);
  // Those of a vocabulary that names every id: Error too for one that is not the name of its id.
  AddedTokens(std::vector<AddedToken> tokens, const std::vector<std::string>& names);

  const std::vector<AddedToken>& list() const { return list_; }

  // Whether one could be found in a text.
  bool any(bool allow_special) const { return allow_special ? !list_.empty() : any_plain_; }

  // Goes through text from left to right: on_text(part, begin) for what is between added tokens,
  // on_token(token) for each of them; the leftmost, of several there the longest; special ones only
  // with allow_special.
  template <class OnText, class OnToken>
  void split(std::string_view text, bool allow_special, OnText&& on_text,
             OnToken&& on_token) const {
    size_t begin = 0;
    for (size_t at = 0; at < text.size() && any(allow_special);) {
      const AddedToken* const token = token_at(text, at, allow_special);
      if (!token) {
        ++at;
        continue;
      }
      if (begin < at) on_text(text.substr(begin, at - begin), begin);
      on_token(*token);
      begin = at += token->text.size();
    }
    if (begin < text.size()) on_text(text.substr(begin), begin);
  }

  // Whether a token that is no special one may begin before `at` and go on behind it, where more
  // text may follow.
  bool may_span(std::string_view text, size_t at) const;

 private:
  const AddedToken* token_at(std::string_view text, size_t at, bool allow_special) const;

  std::vector<AddedToken> list_;
  std::array<std::vector<size_t>, 256> by_first_byte_;  // the longest first
  bool any_plain_ = false;
};

}  // namespace cria
