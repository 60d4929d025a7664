#include <algorithm>
#include <set>
#include <utility>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "tokenizer_files/tokenizer_json.h"

namespace cria {
namespace {

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
  SpecialTokens roles = tokenizer->special_tokens();
  if (added != tokenizer->added_tokens()) {
    TextEnds ends = tokenizer->ends();
    tokenizer = tokenizer->with_added(std::move(added));
    tokenizer->set_ends(std::move(ends));
  }
  if (!bos.empty()) {
    roles.bos = *find_token(*tokenizer, bos);
    tokenizer->set_ends({.before = {roles.bos}, .after = tokenizer->ends().after});
  }
  if (!eos.empty()) roles.eos = *find_token(*tokenizer, eos);
  tokenizer->set_special_tokens(roles);
  return tokenizer;
}

}  // namespace cria
