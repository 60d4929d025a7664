// What tokenizers throw.
#pragma once

#include <string>

#include "cria/base/error.h"

namespace cria {

[[noreturn]] inline void fail(const std::string& summary, const std::string& expected = {},
                              const std::string& got = {}, const std::string& hint = {}) {
  throw Error(summary, {.expected = expected, .got = got, .hint = hint});
}

}  // namespace cria
