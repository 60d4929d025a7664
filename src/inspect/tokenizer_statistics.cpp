#include "inspect/tokenizer_statistics.h"

#include <algorithm>
#include <set>

#include "base/first_error.h"
#include "base/unicode.h"
#include "base/unicode_classes.h"
#include "cria/base/parallel.h"

namespace cria {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 18;  // what a thread encodes at a time

int64_t count_words(std::string_view text) {
  int64_t words = 0;
  bool in_word = false;
  for (size_t at = 0; at < text.size();) {
    const Decoded character = decode_utf8(text, at);
    const bool space =
        character.length > 0 && unicode_class(character.code_point) == UnicodeClass::space;
    if (!space && !in_word) ++words;
    in_word = !space;
    at += static_cast<size_t>(std::max(1, character.length));
  }
  return words;
}

}  // namespace

VocabularyStatistics vocabulary_statistics(const Tokenizer& tokenizer, size_t top) {
  std::set<int32_t> added;
  for (const AddedToken& token : tokenizer.added_tokens()) added.insert(token.id);
  VocabularyStatistics result;
  const auto length = [&](int32_t id) { return tokenizer.token(id).size(); };
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    if (added.contains(id)) continue;
    const size_t bytes = length(id);
    if (result.by_length.size() <= bytes) result.by_length.resize(bytes + 1);
    ++result.by_length[bytes];
    ++result.tokens;
    if (first_invalid_utf8(tokenizer.token(id))) ++result.not_utf8;
    result.longest.push_back(id);
  }
  const auto longer = [&](int32_t a, int32_t b) {
    return length(a) != length(b) ? length(a) > length(b) : a < b;
  };
  std::ranges::sort(result.longest, longer);
  result.longest.resize(std::min(top, result.longest.size()));
  return result;
}

Compression compression(const Tokenizer& tokenizer, std::string_view text,
                        const std::string& where) {
  std::vector<size_t> cuts = {0};
  while (cuts.back() < text.size()) {
    const std::string_view rest = text.substr(cuts.back());
    const bool is_last = rest.size() <= kPieceBytes;
    cuts.push_back(is_last ? text.size() : cuts.back() + tokenizer.find_cut(rest, kPieceBytes));
  }
  const auto pieces = static_cast<int64_t>(cuts.size()) - 1;
  std::vector<int64_t> tokens(static_cast<size_t>(pieces));
  FirstError error;
  parallel_tasks(pieces, [&](int64_t piece, int) {
    error.attempt(piece, [&] {
      const size_t begin = cuts[static_cast<size_t>(piece)];
      const size_t end = cuts[static_cast<size_t>(piece) + 1];
      std::vector<int32_t> ids;
      const std::string_view part = text.substr(begin, end - begin);
      if (begin == 0) {
        tokenizer.encode(part, ids, where, begin);
      } else {
        tokenizer.encode_after_cut(part, ids, where, begin);
      }
      tokens[static_cast<size_t>(piece)] = static_cast<int64_t>(ids.size());
    });
  });
  error.rethrow();
  Compression result = {.bytes = static_cast<int64_t>(text.size()), .words = count_words(text)};
  for (const int64_t count : tokens) result.tokens += count;
  return result;
}

std::vector<int32_t> first_ids(const Tokenizer& tokenizer, std::string_view text, size_t bytes,
                               const std::string& where) {
  const bool whole = text.size() <= bytes;
  std::vector<int32_t> ids;
  tokenizer.encode(text.substr(0, whole ? text.size() : tokenizer.find_cut(text, bytes)), ids,
                   where);
  return ids;
}

}  // namespace cria
