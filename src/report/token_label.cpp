#include "report/token_label.h"

#include "base/unicode.h"
#include "base/unicode_classes.h"
#include "report/page.h"
#include "report/svg.h"

namespace cria {

std::string token_label(std::string_view token) {
  std::string label;
  for (const char c : escape(token, "")) {
    if (c == ' ') {
      label += "\u2423";  // the sign for a space
    } else {
      label += c;
    }
  }
  constexpr double kWidest = 16;  // times the size of the font
  return isolated(fitted(label, kWidest));
}

std::string token_label(const Tokenizer* tokenizer, int64_t id) {
  if (tokenizer == nullptr || id >= tokenizer->vocab_size()) return "id " + std::to_string(id);
  return token_label(tokenizer->token(static_cast<int32_t>(id)));
}

TokenKind token_kind(std::string_view token) {
  const size_t begin = std::min(token.find_first_not_of(' '), token.size());
  const Decoded first = decode_utf8(token, begin);
  const UnicodeClass kind =
      first.length > 0 ? unicode_class(first.code_point) : UnicodeClass::other;
  if (kind == UnicodeClass::number) return TokenKind::number;
  if (kind != UnicodeClass::letter) return TokenKind::other;
  if (first.code_point >= 'A' && first.code_point <= 'Z') return TokenKind::capital;
  return begin > 0 ? TokenKind::word : TokenKind::part;
}

TokenKind token_kind(const Tokenizer* tokenizer, int64_t id) {
  if (tokenizer == nullptr || id >= tokenizer->vocab_size()) return TokenKind::other;
  return token_kind(tokenizer->token(static_cast<int32_t>(id)));
}

}  // namespace cria
