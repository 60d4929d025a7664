#include "io/zip.h"

#include <algorithm>
#include <optional>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "io/bytes.h"
#include "io/crc.h"

namespace cria {
namespace {

constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50;
constexpr uint32_t kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr size_t kEndBytes = 22, kEnd64Bytes = 56, kLocator64Bytes = 20;
constexpr uint32_t kFull32 = 0xFFFFFFFF;  // the number stands in a zip64 field
constexpr uint16_t kFull16 = 0xFFFF;
constexpr uint16_t kExtra64 = 1;
constexpr uint16_t kVersion = 20, kVersion64 = 45;
constexpr uint16_t kUnix = 3 << 8;  // who made it: says how to read the attributes
constexpr uint32_t kRegularFile = uint32_t{0600} << 16;
constexpr uint16_t kDate = 0x0021;  // 1980-01-01, so that bytes depend on nothing else
constexpr uint16_t kSizesBehind = 1 << 3, kUtf8Name = 1 << 11;

bool is_large(uint64_t number) {
  return number >= kFull32;
}

uint32_t or_full(uint64_t number) {
  return is_large(number) ? kFull32 : static_cast<uint32_t>(number);
}

// The extra field with the numbers that did not fit, in the format's order.
std::string extra64(std::initializer_list<uint64_t> numbers) {
  std::string extra;
  if (numbers.size() == 0) return extra;
  append(extra, kExtra64);
  append(extra, static_cast<uint16_t>(8 * numbers.size()));
  for (const uint64_t number : numbers) append(extra, number);
  return extra;
}

// What local headers and the directory have in common: from the version to the length of the extra
// field.
void append_common(std::string& out, const ZipMember& member, const std::string& extra) {
  const bool ascii = std::all_of(member.name.begin(), member.name.end(),
                                 [](char byte) { return static_cast<uint8_t>(byte) < 0x80; });
  append(out, extra.empty() ? kVersion : kVersion64);
  append(out, ascii ? uint16_t{0} : kUtf8Name);
  append(out, uint16_t{0});  // stored
  append(out, uint16_t{0});  // midnight
  append(out, kDate);
  append(out, member.crc32);
  append(out, or_full(member.size));
  append(out, or_full(member.size));
  append(out, static_cast<uint16_t>(member.name.size()));
  append(out, static_cast<uint16_t>(extra.size()));
}

[[noreturn]] void fail(const std::string& summary, const std::string& where,
                       const std::string& expected, const std::string& got) {
  throw Error(summary, {.where = where, .expected = expected, .got = got});
}

std::string place(const std::string& path, std::string_view name) {
  return path + ": member " + quote(name);
}

void expect_signature(ByteReader& reader, uint32_t wanted, const std::string& where,
                      const char* what) {
  const uint64_t at = reader.offset();
  if (reader.number<uint32_t>(what) != wanted) {
    throw Error("the archive is damaged",
                {.where = where, .expected = what + (" at byte " + std::to_string(at))});
  }
}

struct Directory {
  uint64_t offset, bytes, count;
};

// The end record, found from behind: its comment, of any length, ends the file.
size_t find_end(std::string_view file, const std::string& path) {
  for (size_t comment = 0; comment <= kFull16 && kEndBytes + comment <= file.size(); ++comment) {
    const size_t at = file.size() - kEndBytes - comment;
    const char* const record = file.data() + at;
    if (load<uint32_t>(record) == kEnd && load<uint16_t>(record + 20) == comment) return at;
  }
  throw Error("not a zip archive", {.where = path,
                                    .expected = "the record that ends one, PK\\x05\\x06",
                                    .hint = "is the file cut off, or another format?"});
}

void require_one_disk(uint64_t a, uint64_t b, const std::string& path) {
  if (a != 0 || b != 0) throw Error("archives in several parts are not read", {.where = path});
}

Directory find_directory(std::string_view file, const std::string& path) {
  size_t end = find_end(file, path);
  ByteReader record(file.substr(end + 4), path, end + 4);
  const uint16_t disk = record.number<uint16_t>("disk");
  const uint16_t first_disk = record.number<uint16_t>("disk");
  uint64_t here = record.number<uint16_t>("members"), count = record.number<uint16_t>("members");
  uint64_t bytes = record.number<uint32_t>("size"), offset = record.number<uint32_t>("offset");
  require_one_disk(disk, first_disk, path);
  if (here == kFull16 || count == kFull16 || bytes == kFull32 || offset == kFull32) {
    if (end < kLocator64Bytes + kEnd64Bytes) {
      throw Error("the archive is damaged", {.where = path, .expected = "zip64 records"});
    }
    end -= kLocator64Bytes;
    ByteReader locator(file.substr(end), path, end);
    expect_signature(locator, kLocator64, path, "a zip64 locator");
    const uint32_t end_disk = locator.number<uint32_t>("disk");
    const uint64_t at = locator.number<uint64_t>("offset");
    const bool one_disk = locator.number<uint32_t>("disks") <= 1;
    require_one_disk(end_disk, one_disk ? 0 : 1, path);
    end -= kEnd64Bytes;
    if (at != end) {
      fail("the archive is damaged", path, "the zip64 end record at byte " + std::to_string(end),
           std::to_string(at));
    }
    ByteReader end64(file.substr(end), path, end);
    expect_signature(end64, kEnd64, path, "a zip64 end record");
    const uint64_t rest = end64.number<uint64_t>("size");
    if (rest != kEnd64Bytes - 12) {
      fail("unsupported zip64 end record", path, "44 bytes", std::to_string(rest));
    }
    end64.take(4, "versions");
    const uint32_t disk64 = end64.number<uint32_t>("disk");
    require_one_disk(disk64, end64.number<uint32_t>("disk"), path);
    here = end64.number<uint64_t>("members");
    count = end64.number<uint64_t>("members");
    bytes = end64.number<uint64_t>("size");
    offset = end64.number<uint64_t>("offset");
  }
  if (here != count) {
    fail("the archive is damaged", path, std::to_string(count) + " members", std::to_string(here));
  }
  if (bytes > end || offset != end - bytes) {
    fail("the directory does not end where the archive's end begins", path,
         "byte " + std::to_string(end),
         std::to_string(bytes) + " bytes from byte " + std::to_string(offset));
  }
  return {offset, bytes, count};
}

// Replaces the numbers that did not fit by those of the zip64 field among the extra fields.
void widen(std::string_view extra, std::initializer_list<uint64_t*> numbers,
           const std::string& where) {
  std::optional<std::string_view> field;
  for (ByteReader reader(extra, where); reader.rest() > 0;) {
    const uint16_t id = reader.number<uint16_t>("the id of an extra field");
    const uint16_t size = reader.number<uint16_t>("the size of an extra field");
    const std::string_view content = reader.take(size, "an extra field");
    if (id == kExtra64 && !field) field = content;
  }
  ByteReader reader(field.value_or(""), where);
  for (uint64_t* const number : numbers) {
    if (*number == kFull32) *number = reader.number<uint64_t>("a zip64 number");
  }
}

void check_method(uint16_t flags, uint16_t method, const std::string& where) {
  if (flags & ~(kSizesBehind | kUtf8Name)) {
    fail(flags & 1 ? "encrypted members are not read" : "unsupported flags", where, "bits 3 and 11",
         std::to_string(flags));
  }
  if (method != 0) {
    throw Error("compressed members are not read",
                {.where = where,
                 .expected = "method 0, stored",
                 .got = std::to_string(method),
                 .hint = "numpy.savez stores, numpy.savez_compressed does not"});
  }
}

ZipMember read_entry(ByteReader& reader, const std::string& path) {
  expect_signature(reader, kCentral, path, "a member in the directory");
  reader.take(4, "versions");
  const uint16_t flags = reader.number<uint16_t>("flags");
  const uint16_t method = reader.number<uint16_t>("method");
  reader.take(4, "time and date");
  ZipMember member;
  member.crc32 = reader.number<uint32_t>("checksum");
  uint64_t compressed = reader.number<uint32_t>("size");
  member.size = reader.number<uint32_t>("size");
  const uint16_t name_bytes = reader.number<uint16_t>("length of the name");
  const uint16_t extra_bytes = reader.number<uint16_t>("length of the extra field");
  const uint16_t comment_bytes = reader.number<uint16_t>("length of the comment");
  const uint16_t disk = reader.number<uint16_t>("disk");
  reader.take(6, "attributes");
  member.offset = reader.number<uint32_t>("offset");
  member.name = reader.take(name_bytes, "the name");
  const std::string where = place(path, member.name);
  check_zip_name(member.name, where);
  require_one_disk(disk, 0, where);
  check_method(flags, method, where);
  widen(reader.take(extra_bytes, "the extra field"), {&member.size, &compressed, &member.offset},
        where);
  reader.take(comment_bytes, "the comment");
  if (compressed != member.size) {
    fail("a stored member of two sizes", where, std::to_string(member.size) + " bytes",
         std::to_string(compressed));
  }
  return member;
}

// Where the data begins, which ends at or before byte `limit`.
uint64_t check_local_header(std::string_view file, const ZipMember& member, uint64_t limit,
                            const std::string& path) {
  const std::string where = place(path, member.name);
  if (member.offset > limit) {
    fail("the member lies outside of the archive", where,
         "an offset below " + std::to_string(limit), std::to_string(member.offset));
  }
  ByteReader reader(file.substr(member.offset, limit - member.offset), where, member.offset);
  expect_signature(reader, kLocal, where, "a local header");
  reader.take(2, "version");
  const uint16_t flags = reader.number<uint16_t>("flags");
  check_method(flags, reader.number<uint16_t>("method"), where);
  reader.take(4, "time and date");
  const uint32_t crc = reader.number<uint32_t>("checksum");
  uint64_t compressed = reader.number<uint32_t>("size"), size = reader.number<uint32_t>("size");
  const uint16_t name_bytes = reader.number<uint16_t>("length of the name");
  const uint16_t extra_bytes = reader.number<uint16_t>("length of the extra field");
  const std::string_view name = reader.take(name_bytes, "the name");
  widen(reader.take(extra_bytes, "the extra field"), {&size, &compressed}, where);
  const bool same_sizes = size == member.size && compressed == size && crc == member.crc32;
  if (name != member.name || (!same_sizes && !(flags & kSizesBehind))) {
    throw Error("the local header is not what the directory says",
                {.where = where, .expected = "the same name, size and checksum"});
  }
  const uint64_t begin = reader.offset();
  reader.take(member.size, "the data");
  return begin;
}

}  // namespace

void check_zip_name(std::string_view name, const std::string& where) {
  const bool plain = !name.empty() && name.find_first_of(std::string_view("/\\\0", 3)) == name.npos;
  if (!plain || name.size() > kFull16 || first_invalid_utf8(name)) {
    fail("not a name for a member of an archive", where, "a plain file name", quote(name));
  }
}

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
    append(directory, static_cast<uint16_t>(kUnix | (extra.empty() ? kVersion : kVersion64)));
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

ZipFile::ZipFile(const std::string& path) : file_(path) {
  const std::string_view file = file_.bytes();
  const Directory directory = find_directory(file, path);
  ByteReader reader(file.substr(directory.offset, directory.bytes), path, directory.offset);
  for (uint64_t i = 0; i < directory.count; ++i) members_.push_back(read_entry(reader, path));
  if (reader.rest() > 0) {
    fail("bytes after the last member of the directory", path, "none",
         std::to_string(reader.rest()));
  }
  std::vector<const ZipMember*> by_name;
  struct Range {
    uint64_t begin, end;
    const ZipMember* member;
  };
  std::vector<Range> ranges;
  for (const ZipMember& member : members_) {
    by_name.push_back(&member);
    data_begins_.push_back(check_local_header(file, member, directory.offset, path));
    ranges.push_back({member.offset, data_begins_.back() + member.size, &member});
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.begin < b.begin; });
  for (size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].begin < ranges[i - 1].end) {
      throw Error("the member overlaps another", {.where = place(path, ranges[i].member->name)});
    }
  }
  std::sort(by_name.begin(), by_name.end(),
            [](const ZipMember* a, const ZipMember* b) { return a->name < b->name; });
  for (size_t i = 1; i < by_name.size(); ++i) {
    if (by_name[i]->name == by_name[i - 1]->name) {
      throw Error("two members of one name", {.where = place(path, by_name[i]->name)});
    }
  }
}

std::string_view ZipFile::read(std::string_view name) const {
  const auto found = std::find_if(members_.begin(), members_.end(),
                                  [&](const ZipMember& member) { return member.name == name; });
  if (found == members_.end()) {
    std::vector<std::string> names;
    for (const ZipMember& member : members_) names.push_back(member.name);
    throw Error("no such member",
                {.where = place(path(), name), .hint = did_you_mean(name, names)});
  }
  const uint64_t begin = data_begins_[static_cast<size_t>(found - members_.begin())];
  const std::string_view data = file_.bytes().substr(begin, found->size);
  if (crc32(data) != found->crc32) {
    throw Error("wrong checksum", {.where = place(path(), name), .hint = "the file is damaged"});
  }
  return data;
}

}  // namespace cria
