#include "cria/data/shard.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <fstream>
#include <functional>

#include "base/mutations.h"
#include "cria/base/error.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

using Tokens = std::vector<int32_t>;

// Little-endian 32-bit words.
std::string words(const std::vector<uint32_t>& values) {
  std::string bytes;
  for (const uint32_t value : values) {
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(value >> shift);
  }
  return bytes;
}

// A shard's header, and then data.
std::string shard_bytes(const std::vector<uint32_t>& header, const std::string& data) {
  std::string bytes = words(header);
  bytes.resize(1024);
  return bytes + data;
}

std::string error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

class ShardTest : public testing::Test {
 protected:
  void put(const std::string& bytes) const { std::ofstream(path_, std::ios::binary) << bytes; }

  std::string written(const Tokens& tokens, int64_t vocab_size) const {
    ShardWriter writer(path_, vocab_size);
    writer.write(tokens);
    writer.finish();
    return read_file(path_);
  }

  Tokens read(int64_t begin, int64_t count, int64_t vocab_size,
              ShardFormat format = ShardFormat::llmc) const {
    Tokens tokens(static_cast<size_t>(count));
    Shard(path_, format).read(begin, count, vocab_size, tokens.data());
    return tokens;
  }

  std::string error_opening(const std::string& bytes,
                            ShardFormat format = ShardFormat::llmc) const {
    put(bytes);
    const std::string error = error_of([&] { Shard(path_, format); });
    EXPECT_TRUE(error.starts_with(path_ + ": ")) << error;
    return error;
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_ / "train.bin";
};

TEST_F(ShardTest, GoldenBytesOfTheNarrowForm) {
  const std::string bytes = written({1, 0x1234, 65535}, 65536);
  std::string expected("\x88\xD8\x34\x01\x01\x00\x00\x00\x03\x00\x00\x00", 12);
  expected.resize(1024);
  expected += std::string("\x01\x00\x34\x12\xFF\xFF", 6);
  EXPECT_TRUE(bytes == expected);  // too long to print
}

TEST_F(ShardTest, GoldenBytesOfTheWideForm) {
  const std::string bytes = written({1, 0x12345}, 65537);
  std::string expected("\xA1\xD9\x34\x01\x07\x00\x00\x00\x02\x00\x00\x00", 12);
  expected.resize(1024);
  expected += std::string("\x01\x00\x00\x00\x45\x23\x01\x00", 8);
  EXPECT_TRUE(bytes == expected);  // too long to print
}

TEST_F(ShardTest, ReadsBackAnyPart) {
  for (const int64_t vocab_size : {int64_t{50000}, int64_t{100000}}) {
    Tokens tokens(20000);  // more than the writer's buffer
    for (size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] = static_cast<int32_t>(i * 7919 % static_cast<size_t>(vocab_size));
    }
    ShardWriter writer(path_, vocab_size);
    writer.write(std::span(tokens).first(4097));
    writer.write({});
    writer.write(std::span(tokens).subspan(4097));
    EXPECT_EQ(writer.tokens(), 20000);
    writer.finish();
    EXPECT_EQ(Shard(path_, ShardFormat::llmc).tokens(), 20000);
    EXPECT_EQ(read(0, 20000, vocab_size), tokens);
    EXPECT_EQ(read(19993, 7, vocab_size), Tokens(tokens.end() - 7, tokens.end()));
    EXPECT_EQ(read(20000, 0, vocab_size), Tokens());
  }
}

TEST_F(ShardTest, ReadsRawTokens) {
  put(std::string("\x01\x02\xFF\xFF\x00\x00", 6));
  EXPECT_EQ(Shard(path_, ShardFormat::raw_uint16).tokens(), 3);
  EXPECT_EQ(read(0, 3, 65536, ShardFormat::raw_uint16), (Tokens{0x201, 65535, 0}));
}

TEST_F(ShardTest, RefusesOtherFiles) {
  const std::string two("\x01\x00\x02\x00", 4);
  EXPECT_TRUE(contains(error_opening(""), "empty file"));
  EXPECT_TRUE(contains(error_opening("", ShardFormat::raw_uint16), "empty file"));
  EXPECT_TRUE(contains(error_opening("abc", ShardFormat::raw_uint16), "even number of bytes"));
  for (const std::string& bytes : {std::string(1023, 'a'), std::string(2000, 'a')}) {
    EXPECT_TRUE(contains(error_opening(bytes), "data.shard_format = \"raw_uint16\""));
  }
  EXPECT_TRUE(contains(error_opening(shard_bytes({20240520, 1, 1}, "").substr(0, 1023)),
                       "at least 1024 bytes\n  got: 1023"));
  EXPECT_TRUE(contains(error_opening(shard_bytes({0x88D83401, 1, 2}, two)), "big-endian"));
  EXPECT_TRUE(contains(error_opening(shard_bytes({0xA1D93401, 7, 2}, two)), "big-endian"));
  EXPECT_TRUE(contains(error_opening(shard_bytes({20240520, 7, 2}, two)), "expected: 1\n  got: 7"));
  EXPECT_TRUE(contains(error_opening(shard_bytes({20240801, 1, 1}, two)), "expected: 7\n  got: 1"));
  EXPECT_TRUE(contains(error_opening(shard_bytes({20240520, 1, 0}, "")), "no tokens"));
  EXPECT_TRUE(contains(error_opening(shard_bytes({20240520, 1, 0xFFFFFFFF}, two)), "got: -1"));
}

TEST_F(ShardTest, RefusesOtherSizes) {
  const std::string two("\x01\x00\x02\x00", 4);
  EXPECT_TRUE(contains(error_opening(shard_bytes({20240520, 1, 3}, two)), "truncated shard"));
  EXPECT_TRUE(contains(error_opening(shard_bytes({20240520, 1, 3}, two)),
                       "expected: 1030 bytes (1024 + 3 tokens of 2)\n  got: 1028"));
  EXPECT_TRUE(contains(error_opening(shard_bytes({20240520, 1, 1}, two)), "more bytes"));
  EXPECT_TRUE(contains(error_opening(shard_bytes({20240801, 7, 2}, two)), "truncated shard"));
  // 4 bytes times the largest count is beyond 32 bits.
  EXPECT_TRUE(contains(error_opening(shard_bytes({20240801, 7, 0x7FFFFFFF}, two)),
                       "expected: 8589935612 bytes"));
}

TEST_F(ShardTest, NamesTheTokenOutsideTheVocabulary) {
  written({5, 9, 10, 11}, 100);
  EXPECT_EQ(read(0, 2, 10), (Tokens{5, 9}));
  const std::string error = error_of([&] { read(1, 3, 10); });
  EXPECT_TRUE(error.starts_with(path_ + " at byte 1028: token id outside the vocabulary")) << error;
  EXPECT_TRUE(contains(error, "below vocab_size = 10\n  got: 10 as token 2")) << error;
  // An id that would be negative in 32 bits.
  put(shard_bytes({20240801, 7, 1}, words({0xFFFFFFFF})));
  EXPECT_TRUE(contains(error_of([&] { read(0, 1, INT32_MAX); }), "got: 4294967295 as token 0"));
}

TEST_F(ShardTest, AppearsOnlyWhenFinished) {
  {
    ShardWriter writer(path_, 256);
    writer.write(Tokens{1, 2, 3});
  }
  EXPECT_TRUE(directory_.names().empty());
  EXPECT_TRUE(contains(error_of([&] { ShardWriter(path_, 256).finish(); }), "no tokens to write"));
}

TEST_F(ShardTest, RefusesMoreTokensThanTheHeaderCanCount) {
  // Address space that is never touched.
  constexpr size_t kTokens = size_t{1} << 31;
  void* const pages = ::mmap(nullptr, kTokens * sizeof(int32_t), PROT_READ,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED) GTEST_SKIP() << "no 8 GiB of addresses";
  ShardWriter writer(path_, 256);
  const std::span<const int32_t> tokens(static_cast<const int32_t*>(pages), kTokens);
  EXPECT_TRUE(contains(error_of([&] { writer.write(tokens); }), "too many tokens"));
  writer.write(tokens.first(1));
  EXPECT_TRUE(contains(error_of([&] { writer.write(tokens.first(kTokens - 1)); }),
                       "expected: at most 2147483647\n  got: 2147483648"));
  EXPECT_EQ(writer.tokens(), 1);
  ::munmap(pages, kTokens * sizeof(int32_t));
}

TEST(ShardFormat, KnowsItsNames) {
  EXPECT_EQ(shard_format("llmc"), ShardFormat::llmc);
  EXPECT_EQ(shard_format("raw_uint16"), ShardFormat::raw_uint16);
  EXPECT_EQ(shard_format_names().size(), 2u);
  EXPECT_TRUE(contains(error_of([] { shard_format("raw_uint61"); }), "'raw_uint16'?"));
}

TEST_F(ShardTest, DamagedFileIsReadOrRefused) {
  const std::vector<std::string> headers = {words({20240520, 1, 4}), words({20240801, 7, 2}),
                                            words({20240520, 1, 2})};
  std::vector<std::string> files;
  for (const std::string& header : headers) {
    std::string file = header;
    file.resize(1024 + 8);
    files.push_back(file);
  }
  Rng rng(1, "shard");
  int readable = 0;
  constexpr int kRounds = 1000;
  for (int i = 0; i < kRounds; ++i) {
    std::string bytes = mutated(i % 2 == 0 ? headers : files, rng);
    if (i % 2 == 0) {  // only the header is damaged
      bytes.resize(12);
      bytes.resize(1024 + 8);
    }
    put(bytes);
    try {
      const Shard shard(path_, ShardFormat::llmc);
      Tokens tokens(static_cast<size_t>(shard.tokens()));
      shard.read(0, shard.tokens(), 256, tokens.data());
      ++readable;
    } catch (const Error& error) {
      ASSERT_TRUE(std::string(error.what()).starts_with(path_)) << error.what();
    }
  }
  EXPECT_GT(readable, 20);
  EXPECT_LT(readable, kRounds / 2);
}

}  // namespace
}  // namespace cria
