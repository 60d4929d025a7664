// A vocabulary as files have it, token to id, turned round.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/base/json.h"

namespace cria {

// Errors name the file, and a token by `name`: an id that is there twice or outside [0, count), so
// that in the end none is missing; an empty token.
class TokensById {
 public:
  TokensById(std::string where, size_t count) : where_(std::move(where)), tokens_(count) {}

  void set(int64_t id, std::string token, const std::string& name) {
    if (token.empty()) fail("empty token", "at least one byte", "id " + std::to_string(id));
    if (id < 0 || id >= static_cast<int64_t>(tokens_.size())) {
      fail(
          "ids with holes: token " + name + " in a vocabulary of " + std::to_string(tokens_.size()),
          "0 to " + std::to_string(tokens_.size() - 1), std::to_string(id));
    }
    std::string& place = tokens_[static_cast<size_t>(id)];
    if (!place.empty()) {
      fail("two tokens have the id " + std::to_string(id), "one token for each id",
           quote(place) + " and " + name);
    }
    place = std::move(token);
  }

  std::vector<std::string> take() { return std::move(tokens_); }

 private:
  [[noreturn]] void fail(const std::string& summary, const std::string& expected,
                         const std::string& got) const {
    throw Error(summary, {.where = where_, .expected = expected, .got = got});
  }

  std::string where_;
  std::vector<std::string> tokens_;
};

// entries: token to id.
inline std::vector<std::string> tokens_by_id(const Json::Object& entries,
                                             const std::string& where) {
  TokensById tokens(where, entries.size());
  for (const auto& [token, id] : entries) {
    const std::string name = quote(token);
    tokens.set(id.as_int(where + ": the id of token " + name), token, name);
  }
  return tokens.take();
}

}  // namespace cria
