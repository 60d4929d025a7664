#include "io/npz.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/mutations.h"
#include "cria/base/error.h"
#include "io/crc.h"
#include "support/bytes.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

using Floats = std::vector<float>;

// One member, a.npy with "ABC": 38 bytes, its directory of 51, the end of 22.
const std::string kArchive = from_hex(
    "50 4b 03 04 14 00 00 00 00 00 00 00 21 00 48 03 83 a3 03 00 00 00 03 00 00 00 05 00 00 00 61"
    "2e 6e 70 79 41 42 43 | 50 4b 01 02 14 03 14 00 00 00 00 00 00 00 21 00 48 03 83 a3 03 00 00 00"
    "03 00 00 00 05 00 00 00 00 00 00 00 00 00 00 00 80 01 00 00 00 00 61 2e 6e 70 79 | 50 4b 05 06"
    "00 00 00 00 01 00 01 00 33 00 00 00 26 00 00 00 00 00");
constexpr size_t kDirectory = 38, kEnd = 89;

std::string archive(std::vector<std::pair<std::string, std::string>> contents) {
  std::string bytes;
  std::vector<ZipMember> members;
  for (const auto& [name, data] : contents) {
    members.push_back({name, crc32(data), data.size(), bytes.size()});
    bytes += zip_local_header(members.back()) + data;
  }
  return bytes + zip_directory(members, bytes.size());
}

class Zip : public testing::Test {
 protected:
  ZipFile open(const std::string& bytes) const {
    write_quickly(path_, bytes);
    return ZipFile(path_);
  }

  void expect_error(const std::string& bytes, const std::string& fragment) const {
    const std::string message = error_of([&] {
      const ZipFile file = open(bytes);
      for (const ZipMember& member : file.members()) file.read(member.name);
    });
    EXPECT_TRUE(message.starts_with(path_)) << message << " in place of " << fragment;
    EXPECT_NE(message.find(fragment), message.npos) << fragment << " in " << message;
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_ / "f.npz";
};

TEST_F(Zip, WritesTheKnownBytes) {
  EXPECT_EQ(archive({{"a.npy", "ABC"}}), kArchive);
  EXPECT_EQ(open(kArchive).read("a.npy"), "ABC");
}

TEST_F(Zip, ReadsWhatItWrites) {
  const ZipFile file = open(archive({{"b", ""}, {"a", "1"}, {"\u00fc", std::string(5000, 'x')}}));
  ASSERT_EQ(file.members().size(), 3u);
  EXPECT_EQ(file.members()[2].name, "\u00fc");
  EXPECT_EQ(file.read("b"), "");
  EXPECT_EQ(file.read("a"), "1");
  EXPECT_EQ(file.read("\u00fc"), std::string(5000, 'x'));
  EXPECT_NE(error_of([&] { file.read("c"); }).find("no such member"), std::string::npos);
  EXPECT_TRUE(open(archive({})).members().empty());
}

// numpy.savez of one member: zip64 in the local header only, version 45; and a comment at the end.
TEST_F(Zip, ReadsSizesFromTheDirectory) {
  std::string bytes = kArchive;
  bytes.replace(18, 8, std::string(8, '\xff'));
  bytes.replace(4, 2, little_endian(45, 2));
  bytes.replace(28, 2, little_endian(20, 2));
  bytes.insert(35, from_hex("01 00 10 00") + little_endian(3) + little_endian(3));
  bytes.replace(bytes.size() - 6, 4, little_endian(kDirectory + 20, 4));
  EXPECT_EQ(open(bytes).read("a.npy"), "ABC");
  EXPECT_EQ(open(patched(bytes, bytes.size() - 2, little_endian(3, 2)) + "end").read("a.npy"),
            "ABC");
  // Sizes after the data: the local header has none.
  bytes = patched(patched(kArchive, 6, "\x08"), kDirectory + 8, "\x08");
  EXPECT_EQ(open(patched(bytes, 14, std::string(12, '\0'))).read("a.npy"), "ABC");
}

TEST_F(Zip, ManyMembersTakeZip64) {
  std::vector<std::pair<std::string, std::string>> contents;
  for (int i = 0; i < 65535; ++i) contents.emplace_back(std::to_string(i), "");
  const ZipFile file = open(archive(contents));
  EXPECT_EQ(file.members().size(), 65535u);
  EXPECT_EQ(file.read("65534"), "");
}

// A file with holes: 5 GB of zeros, then a member whose offset takes more than 32 bits.
TEST_F(Zip, ReadsBeyondFourGigabytes) {
  const uint64_t size = 5'000'000'000;
  const ZipMember large{"large", 0, size, 0};
  const std::string first = zip_local_header(large);
  const ZipMember small{"small", crc32("ABC"), 3, first.size() + size};
  const std::string second = zip_local_header(small) + "ABC";
  {
    std::ofstream file(path_, std::ios::binary);
    file << first;
    file.seekp(static_cast<std::streamoff>(small.offset));
    file << second << zip_directory(std::vector{large, small}, small.offset + second.size());
  }
  const ZipFile file(path_);
  EXPECT_EQ(file.members()[0].size, size);
  EXPECT_EQ(file.members()[1].offset, first.size() + size);
  EXPECT_EQ(file.read("small"), "ABC");
}

TEST_F(Zip, RefusesDamage) {
  for (size_t size = 0; size < kArchive.size(); ++size) {
    expect_error(kArchive.substr(0, size), "not a zip archive");
  }
  expect_error(kArchive + "x", "not a zip archive");
  expect_error(patched(kArchive, 0, "x"), "expected: a local header at byte 0");
  expect_error(patched(kArchive, 35, "X"), "member 'a.npy': wrong checksum");
  expect_error(patched(kArchive, 30, "b"), "the local header is not what the directory says");
  expect_error(patched(kArchive, 14, "x"), "the local header is not what the directory says");
  expect_error(patched(kArchive, 18, "\x04"), "the local header is not what the directory says");
  expect_error(patched(kArchive, 8, "\x08"), "compressed members are not read");
  expect_error(patched(kArchive, kDirectory, "x"),
               "expected: a member in the directory at byte 38");
  expect_error(patched(kArchive, kDirectory + 8, "\x01"), "encrypted members are not read");
  expect_error(patched(kArchive, kDirectory + 8, "\x40"), "unsupported flags");
  expect_error(patched(kArchive, kDirectory + 10, "\x08"),
               "member 'a.npy': compressed members are not read");
  expect_error(patched(kArchive, kDirectory + 20, "\x02"), "a stored member of two sizes");
  const std::string four = little_endian(4, 4);
  expect_error(patched(patched(kArchive, kDirectory + 20, four + four), 18, four + four),
               "expected: 4 bytes: the data");
  expect_error(patched(kArchive, kDirectory + 28, "\x06"), "the file ends too early");
  expect_error(patched(kArchive, kDirectory + 30, "\x01"), "the file ends too early");
  expect_error(patched(kArchive, kDirectory + 34, "\x01"), "several parts");
  expect_error(patched(kArchive, kDirectory + 42, "\x01"), "expected: a local header at byte 1");
  expect_error(patched(kArchive, kDirectory + 42, "\x99"), "lies outside of the archive");
  expect_error(patched(kArchive, kDirectory + 42, "\xff\xff\xff\xff"), "a zip64 number");
  expect_error(patched(kArchive, kEnd + 4, "\x01"), "several parts");
  expect_error(patched(kArchive, kEnd + 8, "\x02"), "expected: 1 members");
  expect_error(patched(kArchive, kEnd + 8, std::string("\x02\x00\x02\x00", 4)), "ends too early");
  expect_error(patched(kArchive, kEnd + 8, std::string(4, '\0')), "after the last member");
  expect_error(patched(kArchive, kEnd + 12, "\x32"), "the directory does not end");
  expect_error(patched(kArchive, kEnd + 12, "\xff\xff\xff\x7f"), "the directory does not end");
  expect_error(patched(kArchive, kEnd + 16, "\xff\xff\xff\xff"), "expected: a zip64 locator");
  expect_error("x" + kArchive, "the directory does not end");
}

TEST_F(Zip, RefusesDamagedZip64) {
  std::vector<std::pair<std::string, std::string>> contents;
  for (int i = 0; i < 65535; ++i) contents.emplace_back(std::to_string(i), "");
  const std::string bytes = archive(contents);
  const size_t locator = bytes.size() - 42, end = locator - 56;
  expect_error(patched(bytes, locator, "x"), "expected: a zip64 locator");
  expect_error(patched(bytes, locator + 4, "\x01"), "several parts");
  expect_error(patched(bytes, locator + 8, "xxxx"), "the zip64 end record at byte");
  expect_error(patched(bytes, end, "x"), "expected: a zip64 end record");
  expect_error(patched(bytes, end + 4, "\x2d"), "unsupported zip64 end record");
  expect_error(patched(bytes, end + 24, "x"), "members");
  expect_error(patched(bytes, end + 40, "xxxxxxxx"), "the directory does not end");
}

TEST_F(Zip, RefusesUnsafeArchives) {
  for (const std::string name : {"", "/a", "a/b", "..\\a", "\xff"}) {
    expect_error(archive({{name, "x"}}), "not a name for a member");
    EXPECT_FALSE(error_of([&] { check_zip_name(name, path_); }).empty()) << name;
  }
  expect_error(archive({{std::string("a\0b", 3), "x"}}), "not a name for a member");
  expect_error(archive({{"a", "x"}, {"b", "y"}, {"a", "z"}}),
               "member 'a': two members of one name");
  // A second entry for the bytes of the first.
  std::string bytes = archive({{"a", "x"}});
  bytes.resize(32);
  const ZipMember one{"a", crc32("x"), 1, 0};
  expect_error(bytes + zip_directory(std::vector{one, one}, 32), "overlaps another");
}

class Npz : public Zip {};

TEST_F(Npz, ReadsWhatItWrites) {
  const std::string path = directory_ / "w.npz";
  NpzWriter writer(path);
  writer.add("model.norm.weight", {2, 3}, Floats{1, 2, 3, 4, 5, 6});
  writer.add("ids", {2}, std::vector<int64_t>{-1, 1 << 20});
  writer.add("nothing", {0}, Floats{});
  for (const std::string name : {"ids", "a/b"}) {
    const std::string wanted = name == "ids" ? "the name is taken" : "not a name for a member";
    EXPECT_NE(error_of([&] { writer.add(name, {0}, Floats{}); }).find(wanted), std::string::npos);
  }
  EXPECT_TRUE(error_of([&] { writer.add("x", {2}, Floats{1}); }).starts_with(path + ": array 'x'"));
  writer.commit();
  const NpzFile file(path);
  EXPECT_EQ(file.names(), (std::vector<std::string>{"model.norm.weight", "ids", "nothing"}));
  EXPECT_EQ(file.read("model.norm.weight").shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(file.read("model.norm.weight").values, (Floats{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(file.read_integers("ids").values, (std::vector<int64_t>{-1, 1 << 20}));
  EXPECT_TRUE(file.read("nothing").values.empty());
  EXPECT_NE(error_of([&] { file.read("ids"); }).find(": array 'ids' (header): unsupported dtype"),
            std::string::npos);
  EXPECT_NE(error_of([&] { file.read("id"); }).find("no such member"), std::string::npos);
}

TEST_F(Npz, RefusesOtherMembers) {
  write_quickly(path_, archive({{"a.npy", "ABC"}, {"readme.txt", ""}}));
  EXPECT_NE(error_of([&] { NpzFile file(path_); }).find("not an array"), std::string::npos);
  write_quickly(path_, archive({{"a.npy", "ABC"}}));
  EXPECT_NE(error_of([&] { NpzFile(path_).read("a"); }).find("not a .npy file"), std::string::npos);
}

// Half of the damage is one byte overwritten: insertions shift all offsets, and end most trials at
// the same check.
TEST_F(Npz, DamagedFilesReadOrThrow) {
  const std::vector<std::string> files = {kArchive, archive({{"a", "x"}, {"b.npy", "12345678"}}),
                                          archive({})};
  Rng rng(1, "npz");
  int opened = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string bytes = mutated(files, rng);
    if (i % 2 == 0) {
      bytes = files[rng.below(files.size())];
      bytes[rng.below(bytes.size())] = static_cast<char>(rng.below(256));
    }
    const std::string message = error_of([&] {
      const ZipFile file = open(bytes);
      ++opened;
      for (const ZipMember& member : file.members()) {
        ASSERT_LE(file.read(member.name).size(), bytes.size());
      }
    });
    ASSERT_TRUE(message.empty() || message.starts_with(path_)) << message;
  }
  EXPECT_GT(opened, 200);  // nearly every byte of so small an archive is checked
  EXPECT_LT(opened, 4500);
}

}  // namespace
}  // namespace cria
