#include "text/added_tokens.h"

#include <algorithm>
#include <utility>

#include "base/unicode.h"
#include "text/fail.h"

namespace cria {
AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : list_(std::move(tokens)) {
  for (size_t i = 0; i < list_.size(); ++i) {
    const std::string& text = list_[i].text;
    if (text.empty()) fail("empty added token", "at least one byte");
    std::vector<size_t>& others = by_first_byte_[byte_of(text[0])];
    // Before the first that is shorter.
    const auto place = std::ranges::find_if(
        others, [&](size_t other) { return list_[other].text.size() < text.size(); });
    for (auto other = others.begin(); other != place; ++other) {
      if (list_[*other].text != text) continue;
      fail("added token " + quote(text) + " is there twice");
    }
    others.insert(place, i);
    any_plain_ |= !list_[i].special;
  }
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, const std::vector<std::string>& names)
    : AddedTokens(std::move(tokens)) {
  for (const auto& [text, id, special] : list_) {
    const std::string name = "added token " + quote(text);
    if (id < 0 || id >= std::ssize(names)) {
      fail(name + " has an id outside the vocabulary", "0 to " + std::to_string(names.size() - 1),
           std::to_string(id));
    }
    if (const std::string& named = names[static_cast<size_t>(id)]; named != text) {
      fail(name + " is not the token of its id", quote(text),
           quote(named) + " (id " + std::to_string(id) + ")");
    }
  }
}

const AddedToken* AddedTokens::token_at(std::string_view text, size_t at,
                                        bool allow_special) const {
  for (const size_t i : by_first_byte_[byte_of(text[at])]) {
    const AddedToken& token = list_[i];
    if (token.special && !allow_special) continue;
    if (text.substr(at).starts_with(token.text)) return &token;
  }
  return nullptr;
}

bool AddedTokens::may_span(std::string_view text, size_t at) const {
  if (!any_plain_) return false;
  for (const AddedToken& token : list_) {
    if (token.special) continue;
    const std::string_view whole = token.text;
    for (size_t before = 1; before < whole.size() && before <= at; ++before) {
      const size_t begin = at - before;
      if (text.substr(begin, whole.size()) == whole.substr(0, text.size() - begin)) return true;
    }
  }
  return false;
}

}  // namespace cria
