// What formats of other programs have no place for is refused before a byte is written.
#pragma once

#include <cstdint>
#include <string>

#include "cria/base/error.h"
#include "cria/text/tokenizer.h"

namespace cria {

// path: what was to be written; key: of the config, or what else cannot be said.
[[noreturn]] inline void refuse(const std::string& path, const std::string& key,
                                const std::string& expected, const std::string& got,
                                const std::string& hint = {}) {
  throw Error("the format cannot say what this model is",
              {.where = path + ": " + key, .expected = expected, .got = got, .hint = hint});
}

// Formats that have a token's bytes, and a row for each, cannot say what words do.
inline void require_expressible(const Tokenizer& tokenizer, int64_t vocab_size,
                                const std::string& path) {
  if (tokenizer.kind() == "words") {
    refuse(path, "the kind of the tokenizer", "tokens that are put together from characters",
           "words", "--to hf keeps the tokenizer");
  }
  const std::string tokens = std::to_string(tokenizer.vocab_size());
  if (tokenizer.vocab_size() > vocab_size) {
    refuse(path, "vocab_size", "a row for each of the tokenizer's " + tokens + " tokens",
           std::to_string(vocab_size));
  }
}

}  // namespace cria
