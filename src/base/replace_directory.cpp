#include "base/replace_directory.h"

#include <fcntl.h>
#include <stdio.h>

#include "cria/base/error.h"
#include "cria/base/file.h"

namespace cria {
namespace {

bool change_places(const std::string& one, const std::string& other) {
#if defined(RENAME_EXCHANGE)
  return ::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) == 0;
#elif defined(RENAME_SWAP)
  return ::renamex_np(one.c_str(), other.c_str(), RENAME_SWAP) == 0;
#else
  return false;
#endif
}

}  // namespace

void replace_directory(const std::string& next, const std::string& path) {
  if (exists(path)) {
    if (change_places(next, path)) return remove_directory(next);
    remove_directory(path);
  }
  if (::rename(next.c_str(), path.c_str()) != 0) throw_system_error("cannot rename", next);
}

void finish_replacing(const std::string& next, const std::string& path) {
  if (!exists(next)) return;
  if (exists(path)) return remove_directory(next);
  replace_directory(next, path);
}

}  // namespace cria
