#include "crash/recording.h"

#include <fcntl.h>

#include <algorithm>
#include <stdexcept>

#include "cria/base/file.h"

namespace cria {

std::vector<Recorded> read_recording(const std::string& path) {
  const std::string text = read_file(path);
  std::vector<Recorded> all;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    std::vector<std::string> fields;
    for (size_t begin = at; begin <= end;) {
      const size_t stop = std::min(text.find('\t', begin), end);
      fields.push_back(text.substr(begin, stop - begin));
      begin = stop + 1;
    }
    if (fields.size() != 6) throw std::runtime_error("a recording that is none");
    const size_t size = std::stoull(fields[3]);
    all.push_back({fields[0], std::stoi(fields[1]), std::stoll(fields[2]), fields[4], fields[5],
                   text.substr(end + 1, size)});
    at = end + 1 + size;
  }
  return all;
}

int64_t counted_calls(const std::vector<Recorded>& recording) {
  return std::count_if(recording.begin(), recording.end(), [](const Recorded& call) {
    if (call.operation == "open") return (call.number & (O_CREAT | O_TRUNC)) != 0;
    return call.operation != "close" && call.operation != "seek";
  });
}

}  // namespace cria
