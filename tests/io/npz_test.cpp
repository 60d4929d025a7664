#include "io/npz.h"

#include <gtest/gtest.h>

#include <fstream>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "io/crc.h"
#include "io/npy.h"
#include "support/bytes.h"
#include "support/errors.h"
#include "support/files.h"
#include "support/stored_zip.h"

namespace cria {
namespace {

using Floats = std::vector<float>;

// One member, a.npy with "ABC": 38 bytes, its directory of 51, the end of 22.
const std::string kArchive = from_hex(
    "50 4b 03 04 14 00 00 00 00 00 00 00 21 00 48 03 83 a3 03 00 00 00 03 00 00 00 05 00 00 00 61"
    "2e 6e 70 79 41 42 43 | 50 4b 01 02 14 03 14 00 00 00 00 00 00 00 21 00 48 03 83 a3 03 00 00 00"
    "03 00 00 00 05 00 00 00 00 00 00 00 00 00 00 00 80 01 00 00 00 00 61 2e 6e 70 79 | 50 4b 05 06"
    "00 00 00 00 01 00 01 00 33 00 00 00 26 00 00 00 00 00");

std::string archive(std::vector<std::pair<std::string, std::string>> contents) {
  std::string bytes;
  std::vector<ZipMember> members;
  for (const auto& [name, data] : contents) {
    members.push_back({name, crc32(data), data.size(), bytes.size()});
    bytes += zip_local_header(members.back()) + data;
  }
  return bytes + zip_directory(members, bytes.size());
}

TEST(Zip, WritesTheKnownBytes) {
  EXPECT_EQ(archive({{"a.npy", "ABC"}}), kArchive);
}

TEST(Zip, HoldsWhatWasPutIn) {
  const std::string bytes = archive({{"b", ""}, {"a", "1"}, {"c", std::string(5000, 'x')}});
  const auto members = stored_members(bytes);
  ASSERT_EQ(members.size(), 3u);
  EXPECT_EQ(members.at("b").data, "");
  EXPECT_EQ(members.at("a").data, "1");
  EXPECT_EQ(members.at("c").data, std::string(5000, 'x'));
  EXPECT_TRUE(stored_members(archive({})).empty());
}

TEST(Zip, ManyMembersTakeZip64) {
  std::vector<std::pair<std::string, std::string>> contents;
  for (int i = 0; i < 65535; ++i) contents.emplace_back(std::to_string(i), "");
  EXPECT_EQ(stored_members(archive(contents)).size(), 65535u);
}

// A file with holes: twice 5 GB of zeros, then a member whose offset alone takes more than 32 bits.
TEST(Zip, SizesAndOffsetsBeyondFourGigabytes) {
  const TemporaryDirectory directory;
  const std::string path = directory / "f.npz";
  const uint64_t size = 5'000'000'000;
  const ZipMember first{"first", 0, size, 0};
  const std::string header = zip_local_header(first);
  const ZipMember second{"second", 0, size, header.size() + size};
  const std::string other = zip_local_header(second);
  const ZipMember small{"small", crc32("ABC"), 3, second.offset + other.size() + size};
  const std::string last = zip_local_header(small) + "ABC";
  {
    std::ofstream file(path, std::ios::binary);
    file << header;
    file.seekp(static_cast<std::streamoff>(second.offset));
    file << other;
    file.seekp(static_cast<std::streamoff>(small.offset));
    file << last << zip_directory(std::vector{first, second, small}, small.offset + last.size());
  }
  const MappedFile file(path);
  const auto members = stored_members(file.bytes());
  EXPECT_EQ(members.at("first").data.size(), size);
  EXPECT_EQ(members.at("second").data.size(), size);
  EXPECT_EQ(members.at("small").data, "ABC");
}

TEST(Npz, HoldsArrays) {
  const TemporaryDirectory directory;
  const std::string path = directory / "w.npz";
  NpzWriter writer(path);
  writer.add("model.norm.weight", {2, 3}, Floats{1, 2, 3, 4, 5, 6});
  writer.add("nothing", {0}, Floats{});
  EXPECT_TRUE(error_of([&] { writer.add("x", {2}, Floats{1}); }).starts_with(path + ": array 'x'"));
  writer.commit();
  const std::string bytes = read_file(path);
  const auto members = stored_members(bytes);
  ASSERT_EQ(members.size(), 2u);
  for (const auto& [name, member] : members) {
    EXPECT_EQ(member.crc32, crc32(member.data)) << name;
    write_quickly(directory / name, std::string(member.data));
  }
  const NpyArray array = read_npy(directory / "model.norm.weight.npy");
  EXPECT_EQ(array.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(array.values, (Floats{1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(read_npy(directory / "nothing.npy").values.empty());
}

}  // namespace
}  // namespace cria
