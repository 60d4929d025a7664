// Reads the archives that io/zip writes, by their directory: members stored as they are, numbers of
// 32 bits or, where these are full, of zip64.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

namespace cria {

inline uint64_t number_at(std::string_view bytes, uint64_t at, int width) {
  uint64_t number = 0;
  for (int i = width; i-- > 0;) number = number << 8 | static_cast<uint8_t>(bytes.at(at + i));
  return number;
}

struct StoredMember {
  std::string_view data;
  uint32_t crc32;  // as the archive has it
};

// The members by their names. Throws where the archive contradicts itself.
inline std::map<std::string, StoredMember> stored_members(std::string_view archive) {
  const auto require = [](bool is_so, const char* what) {
    if (!is_so) throw std::runtime_error(what);
  };
  const auto number = [&](uint64_t at, int width) { return number_at(archive, at, width); };
  const uint64_t end = archive.size() - 22;
  require(number(end, 4) == 0x06054b50, "no end");
  uint64_t count = number(end + 10, 2), at = number(end + 16, 4), directory_end = end;
  if (end >= 20 && number(end - 20, 4) == 0x07064b50) {
    directory_end = number(end - 12, 8);
    require(number(directory_end, 4) == 0x06064b50, "no zip64 end");
    count = number(directory_end + 32, 8);
    at = number(directory_end + 48, 8);
  }
  std::map<std::string, StoredMember> members;
  while (count-- > 0) {
    require(number(at, 4) == 0x02014b50 && number(at + 10, 2) == 0, "no stored member");
    const uint64_t name_bytes = number(at + 28, 2), extra_bytes = number(at + 30, 2);
    const std::string name(archive.substr(at + 46, name_bytes));
    uint64_t wide = at + 46 + name_bytes + 4;  // behind the extra field's id and size
    const auto widened = [&](uint64_t place) {
      if (number(place, 4) != 0xFFFFFFFF) return number(place, 4);
      wide += 8;
      return number(wide - 8, 8);
    };
    const uint64_t size = widened(at + 24), stored = widened(at + 20), local = widened(at + 42);
    require(size == stored && number(local, 4) == 0x04034b50, "no local header");
    const uint64_t data = local + 30 + number(local + 26, 2) + number(local + 28, 2);
    require(archive.substr(local + 30, name_bytes) == name, "another name");
    members[name] = {archive.substr(data, size), static_cast<uint32_t>(number(at + 16, 4))};
    at += 46 + name_bytes + extra_bytes;
  }
  require(at == directory_end, "the directory has another size");
  return members;
}

}  // namespace cria
