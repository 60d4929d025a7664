// Zip archives of stored (uncompressed) members, as NumPy's .npz files are; zip64 where 32 bits do
// not reach. Format: PKWARE's APPNOTE, sections 4.3 to 4.5.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cria/base/file.h"

namespace cria {

struct ZipMember {
  std::string name;
  uint32_t crc32 = 0;
  uint64_t size = 0;    // bytes
  uint64_t offset = 0;  // of its local header in the file
};

// Error unless name is one for a file: UTF-8 of less than 64 KiB, not empty, without a path.
void check_zip_name(std::string_view name, const std::string& where);

// What stands before a member's data.
std::string zip_local_header(const ZipMember& member);

// What ends an archive whose members, in order, end at byte `offset`.
std::string zip_directory(std::span<const ZipMember> members, uint64_t offset);

// An archive opened for reading, mapped. The directory and every local header are checked before
// anything is handed out: plain names without a path, none twice; stored and not encrypted; ranges
// inside the file without overlap. Error naming the file and the member.
class ZipFile {
 public:
  explicit ZipFile(const std::string& path);

  const std::string& path() const { return file_.path(); }
  const std::vector<ZipMember>& members() const { return members_; }  // in the directory's order
  // A member's data. Error when its checksum is wrong or, with the names there are, when there is
  // no such member.
  std::string_view read(std::string_view name) const;

 private:
  MappedFile file_;
  std::vector<ZipMember> members_;
  std::vector<uint64_t> data_begins_;  // of each member
};

}  // namespace cria
