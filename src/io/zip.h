// Zip archives of stored (uncompressed) members, as NumPy's .npz files are; zip64 where 32 bits do
// not reach. Format: PKWARE's APPNOTE, sections 4.3 to 4.5.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace cria {

struct ZipMember {
  std::string name;  // ASCII, of less than 64 KiB
  uint32_t crc32 = 0;
  uint64_t size = 0;    // bytes
  uint64_t offset = 0;  // of its local header in the file
};

// What stands before a member's data.
std::string zip_local_header(const ZipMember& member);

// What ends an archive whose members, in order, end at byte `offset`.
std::string zip_directory(std::span<const ZipMember> members, uint64_t offset);

}  // namespace cria
