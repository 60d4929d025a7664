// What tokenizers share that have ids of their own, without merges, and behind them added tokens.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/text/tokenizer.h"
#include "text/added_tokens.h"

namespace cria {

// Ids of its own, then those of the added tokens.
class PlainTokenizer : public Tokenizer {
 public:
  int64_t vocab_size() const override { return own_ + std::ssize(added_.list()); }

  std::string_view token(int32_t id) const override {
    return id < own_ ? own_token(id) : added_.list()[static_cast<size_t>(id - own_)].text;
  }

  void encode(std::string_view text, std::vector<int32_t>& out, const std::string& where,
              uint64_t offset, bool allow_special) const override {
    added_.split(
        text, allow_special,
        [&](std::string_view part, size_t begin) { encode_own(part, out, where, offset + begin); },
        [&](const AddedToken& token) { out.push_back(token.id); });
  }

  size_t find_cut(std::string_view text, size_t from) const override {
    size_t at = find_own_cut(text, from);
    while (at < text.size() && added_.may_span(text, at)) at = find_own_cut(text, at + 1);
    return at;
  }

  const std::vector<AddedToken>& added_tokens() const override { return added_.list(); }

 protected:
  PlainTokenizer(int64_t own, std::vector<AddedToken> added) : own_(own), added_(std::move(added)) {
    int64_t next = own;
    for (const AddedToken& token : added_.list()) {
      if (token.id == next++) continue;
      throw Error("added token " + quote(token.text) + " has another id than the next one",
                  {.expected = std::to_string(next - 1), .got = std::to_string(token.id)});
    }
  }

  // As find_cut, of a text without added tokens.
  virtual size_t find_own_cut(std::string_view text, size_t from) const {
    return Tokenizer::find_cut(text, from);
  }
  virtual std::string_view own_token(int32_t id) const = 0;
  virtual void encode_own(std::string_view text, std::vector<int32_t>& out,
                          const std::string& where, uint64_t offset) const = 0;

 private:
  int64_t own_;
  AddedTokens added_;
};

}  // namespace cria
