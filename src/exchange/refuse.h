// What formats of other programs have no place for is refused before a byte is written.
#pragma once

#include <string>

#include "cria/base/error.h"

namespace cria {

// path: what was to be written; key: of the config, or what else cannot be said.
[[noreturn]] inline void refuse(const std::string& path, const std::string& key,
                                const std::string& expected, const std::string& got,
                                const std::string& hint = {}) {
  throw Error("the format cannot say what this model is",
              {.where = path + ": " + key, .expected = expected, .got = got, .hint = hint});
}

}  // namespace cria
