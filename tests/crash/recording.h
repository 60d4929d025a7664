// What the preloaded library recorded: the calls of a program that changed something.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cria {

// A line of tab-separated fields, then the bytes of a write.
struct Recorded {
  std::string operation;  // open, close, write, seek, fsync, truncate, rename,
                          // exchange, link, remove, mkdir
  int descriptor;         // -1: of none
  int64_t number;         // open: flags; write: offset, -1: where the file stands; seek,
                          // truncate: where to
  std::string path, to;   // absolute
  std::string bytes;      // that were written
};

std::vector<Recorded> read_recording(const std::string& path);

// How many of them count for CRASH_AT.
int64_t counted_calls(const std::vector<Recorded>& recording);

}  // namespace cria
