#include "io/zip.h"

#include "io/bytes.h"

namespace cria {
namespace {

constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50;
constexpr uint32_t kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr size_t kEnd64Bytes = 56;
constexpr uint32_t kFull32 = 0xFFFFFFFF;  // the number stands in a zip64 field
constexpr uint16_t kFull16 = 0xFFFF;
constexpr uint16_t kExtra64 = 1;
constexpr uint16_t kZipVersion = 20, kVersion64 = 45;
constexpr uint16_t kUnix = 3 << 8;  // who made it: says how to read the attributes
constexpr uint32_t kRegularFile = uint32_t{0600} << 16;
constexpr uint16_t kDate = 0x0021;  // 1980-01-01, so that bytes depend on nothing else

bool is_large(uint64_t number) {
  return number >= kFull32;
}

uint32_t or_full(uint64_t number) {
  return is_large(number) ? kFull32 : static_cast<uint32_t>(number);
}

// The extra field with the numbers that did not fit, in the format's order.
std::string extra64(std::initializer_list<uint64_t> numbers) {
  std::string extra;
  append(extra, kExtra64);
  append(extra, static_cast<uint16_t>(8 * numbers.size()));
  for (const uint64_t number : numbers) append(extra, number);
  return extra;
}

// What local headers and the directory have in common: from the version to the length of the extra
// field.
void append_common(std::string& out, const ZipMember& member, const std::string& extra) {
  append(out, extra.empty() ? kZipVersion : kVersion64);
  append(out, uint16_t{0});  // nothing special
  append(out, uint16_t{0});  // stored
  append(out, uint16_t{0});  // midnight
  append(out, kDate);
  append(out, member.crc32);
  append(out, or_full(member.size));
  append(out, or_full(member.size));
  append(out, static_cast<uint16_t>(member.name.size()));
  append(out, static_cast<uint16_t>(extra.size()));
}

}  // namespace

std::string zip_local_header(const ZipMember& member) {
  const std::string extra =
      is_large(member.size) ? extra64({member.size, member.size}) : std::string();
  std::string header;
  append(header, kLocal);
  append_common(header, member, extra);
  return header + member.name + extra;
}

std::string zip_directory(std::span<const ZipMember> members, uint64_t offset) {
  std::string directory;
  for (const ZipMember& member : members) {
    std::string extra;
    if (is_large(member.size) && is_large(member.offset)) {
      extra = extra64({member.size, member.size, member.offset});
    } else if (is_large(member.size)) {
      extra = extra64({member.size, member.size});
    } else if (is_large(member.offset)) {
      extra = extra64({member.offset});
    }
    append(directory, kCentral);
    append(directory, static_cast<uint16_t>(kUnix | (extra.empty() ? kZipVersion : kVersion64)));
    append_common(directory, member, extra);
    append(directory, uint16_t{0});  // comment
    append(directory, uint16_t{0});  // disk
    append(directory, uint16_t{0});  // internal attributes
    append(directory, kRegularFile);
    append(directory, or_full(member.offset));
    directory += member.name + extra;
  }
  const uint64_t bytes = directory.size(), count = members.size();
  if (count >= kFull16 || is_large(bytes) || is_large(offset)) {
    const uint64_t at = offset + bytes;
    append(directory, kEnd64);
    append(directory, uint64_t{kEnd64Bytes - 12});
    append(directory, static_cast<uint16_t>(kUnix | kVersion64));
    append(directory, kVersion64);
    append(directory, uint32_t{0});
    append(directory, uint32_t{0});
    for (const uint64_t number : {count, count, bytes, offset}) append(directory, number);
    append(directory, kLocator64);
    append(directory, uint32_t{0});
    append(directory, at);
    append(directory, uint32_t{1});
  }
  const uint16_t short_count = count >= kFull16 ? kFull16 : static_cast<uint16_t>(count);
  append(directory, kEnd);
  append(directory, uint32_t{0});  // disks
  append(directory, short_count);
  append(directory, short_count);
  append(directory, or_full(bytes));
  append(directory, or_full(offset));
  append(directory, uint16_t{0});  // comment
  return directory;
}

}  // namespace cria
