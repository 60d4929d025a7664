// A directory in another's place.
#pragma once

#include <string>

namespace cria {

// `next`, a whole directory beside `path`, takes its name; what was there is removed. Where the
// system can let the two change places, `path` is one or the other at any moment; elsewhere a crash
// may leave `next` alone, which finish_replacing then moves. Error when it cannot.
void replace_directory(const std::string& next, const std::string& path);

// After a crash in replace_directory: `next` becomes `path` where that is missing, or is removed.
void finish_replacing(const std::string& next, const std::string& path);

}  // namespace cria
