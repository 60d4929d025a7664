#include <algorithm>
#include <set>
#include <utility>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "text/bpe_tokenizer.h"
#include "text/sentencepiece.h"
#include "tokenizer_files/tokenizer_json.h"

namespace cria {
namespace {

std::vector<uint32_t> characters(const Tokenizer& tokenizer, int64_t count) {
  std::vector<uint32_t> all;
  for (int32_t id = 0; id < count; ++id)
    all.push_back(decode_utf8(tokenizer.token(id), 0).code_point);
  return all;
}

// The same vocabulary with these added tokens; new ones are its last.
std::unique_ptr<Tokenizer> with_added(const Tokenizer& tokenizer, std::vector<AddedToken> added) {
  const int64_t own = tokenizer.vocab_size() - std::ssize(tokenizer.added_tokens());
  std::unique_ptr<Tokenizer> result;
  if (const auto* const bpe = dynamic_cast<const BpeTokenizer*>(&tokenizer)) {
    BpeVocabulary vocabulary = bpe->bpe().vocabulary();
    for (size_t i = vocabulary.added.size(); i < added.size(); ++i) {
      vocabulary.tokens.push_back(added[i].text);
    }
    vocabulary.added = std::move(added);
    result = std::make_unique<BpeTokenizer>(std::move(vocabulary));
  } else if (const auto* const pieces = dynamic_cast<const SentencePieceTokenizer*>(&tokenizer)) {
    SentencePieceVocabulary vocabulary = pieces->vocabulary();
    for (size_t i = vocabulary.added.size(); i < added.size(); ++i) {
      vocabulary.names.push_back(added[i].text);
    }
    vocabulary.added = std::move(added);
    result = std::make_unique<SentencePieceTokenizer>(std::move(vocabulary));
  } else if (tokenizer.kind() == "bytes") {
    result = make_byte_tokenizer(std::move(added));
  } else {
    result = make_char_tokenizer(characters(tokenizer, own), std::move(added));
  }
  result->set_special_tokens(tokenizer.special_tokens());
  result->set_ends(tokenizer.ends());
  return result;
}

[[noreturn]] void refuse(const std::string& text, const std::string& why) {
  throw Error("special token " + quote(text) + " " + why, {.hint = "such as <|name|>"});
}

// Makes sure of a special token with this text.
void require_special(const std::string& text, const Tokenizer& tokenizer,
                     std::vector<AddedToken>& added) {
  if (text.empty()) refuse(text, "is empty");
  if (first_invalid_utf8(text)) refuse(text, "is not UTF-8");
  const auto known = std::ranges::find(added, text, &AddedToken::text);
  if (known != added.end()) {
    known->special = true;
    return;
  }
  if (find_token(tokenizer, text)) refuse(text, "is how a token of the text is written");
  const int64_t id =
      tokenizer.vocab_size() + std::ssize(added) - std::ssize(tokenizer.added_tokens());
  added.push_back({text, static_cast<int32_t>(id), true});
}

}  // namespace

std::unique_ptr<Tokenizer> with_special_tokens(std::unique_ptr<Tokenizer> tokenizer,
                                               const std::vector<std::string>& specials,
                                               const std::string& bos, const std::string& eos) {
  std::vector<AddedToken> added = tokenizer->added_tokens();
  std::set<std::string> seen;
  for (const std::string& text : specials) {
    if (!seen.insert(text).second) refuse(text, "is there twice");
    require_special(text, *tokenizer, added);
  }
  for (const std::string& text : {bos, eos}) {
    if (!text.empty()) require_special(text, *tokenizer, added);
  }
  if (added != tokenizer->added_tokens()) tokenizer = with_added(*tokenizer, std::move(added));
  SpecialTokens roles = tokenizer->special_tokens();
  if (!bos.empty()) {
    roles.bos = *find_token(*tokenizer, bos);
    tokenizer->set_ends({.before = {roles.bos}, .after = tokenizer->ends().after});
  }
  if (!eos.empty()) roles.eos = *find_token(*tokenizer, eos);
  tokenizer->set_special_tokens(roles);
  return tokenizer;
}

}  // namespace cria
