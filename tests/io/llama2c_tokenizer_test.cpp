#include "io/llama2c_tokenizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "base/mutations.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "support/bytes.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

using Pieces = std::vector<Llama2cPiece>;

Pieces usual() {
  Pieces pieces = {{"<unk>"}, {"\n<s>\n"}, {"\n</s>\n"}};
  for (int byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", static_cast<unsigned>(byte));
    pieces.push_back({text});
  }
  pieces.push_back({" t", -0.0f});
  pieces.push_back({"\xe2\x96\x81", -1.5f});
  pieces.push_back({" ", -2.0f});
  return pieces;
}

class Llama2cTokenizer : public testing::Test {
 protected:
  std::string error_of_bytes(const std::string& bytes) const {
    write_quickly(path_, bytes);
    return error_of([&] { read_llama2c_tokenizer(path_); });
  }

  void expect_error(const std::string& bytes, const std::string& fragment) const {
    const std::string message = error_of_bytes(bytes);
    EXPECT_TRUE(message.starts_with(path_)) << message;
    EXPECT_NE(message.find(fragment), message.npos) << fragment << " in " << message;
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_ / "tokenizer.bin";
};

// The beginning of the usual file: longest 27, score 0, five bytes.
TEST_F(Llama2cTokenizer, WritesTheKnownBytes) {
  write_llama2c_tokenizer(path_, {{"<unk>", 0.0f}, {std::string(27, ' '), -1.0f}});
  EXPECT_EQ(read_file(path_), from_hex("1b 00 00 00 | 00 00 00 00 05 00 00 00 3c 75 6e 6b 3e") +
                                  raw({-1.0f}) + raw({27}) + std::string(27, ' '));
}

TEST_F(Llama2cTokenizer, ReadsWhatItWrites) {
  write_llama2c_tokenizer(path_, usual());
  const Pieces read = read_llama2c_tokenizer(path_, 262);
  ASSERT_EQ(read.size(), usual().size());
  for (size_t id = 0; id < read.size(); ++id) {
    EXPECT_EQ(read[id].text, usual()[id].text);
    EXPECT_EQ(read[id].score, usual()[id].score);
  }
  EXPECT_NE(error_of([&] { read_llama2c_tokenizer(path_, 32000); }).find("expected: 32000 tokens"),
            std::string::npos);
}

TEST_F(Llama2cTokenizer, RefusesDamage) {
  const std::string bytes =
      raw({3}) + raw({0.0f}) + raw({2}) + "ab" + raw({-1.0f}) + raw({3}) + "cde";
  ASSERT_EQ(error_of_bytes(bytes), "");
  for (size_t size = 0; size < bytes.size(); ++size) {
    if (size == 4 || size == 14) continue;  // after a whole token
    expect_error(bytes.substr(0, size), "the file ends too early");
  }
  expect_error(bytes + "x", "byte 25: the file ends too early");
  expect_error(patched(bytes, 0, "\x02"), "token 1: the token is too long");
  expect_error(patched(bytes, 8, raw({-1})), "token 0: the token is too long");
  for (const float score : {NAN, INFINITY}) {
    expect_error(patched(bytes, 14, raw({score})), "token 1: the score is not finite");
  }
}

TEST_F(Llama2cTokenizer, RefusesToWriteWhatCannotBeRead) {
  for (const Llama2cPiece& piece :
       Pieces{{""}, {std::string("a\0b", 3)}, {"a", NAN}, {"a", -INFINITY}}) {
    const std::string message = error_of([&] { write_llama2c_tokenizer(path_, {{"x"}, piece}); });
    EXPECT_TRUE(message.starts_with(path_ + ": token 1: ")) << message;
  }
  EXPECT_TRUE(directory_.names().empty());
}

TEST_F(Llama2cTokenizer, KnowsWhatItsProgramsNeed) {
  EXPECT_EQ(error_of([] { require_llama2c_encoding(usual(), "v"); }), "");
  Pieces other = usual();
  other.pop_back();
  EXPECT_NE(error_of([&] { require_llama2c_encoding(other, "v"); }).find("one space"),
            std::string::npos);
  other[3 + 0xAB].text = "<0xab>";
  EXPECT_TRUE(
      error_of([&] { require_llama2c_encoding(other, "v"); }).starts_with("v: token 174: "));
  other.resize(100);
  EXPECT_NE(error_of([&] { require_llama2c_encoding(other, "v"); }).find("no such token"),
            std::string::npos);
}

TEST_F(Llama2cTokenizer, DamagedFilesReadOrThrow) {
  write_llama2c_tokenizer(path_, {{"a", 1}, {"bc", -2}, {"def", 0}, {"xyz", 7}});
  const std::string whole = read_file(path_);
  Rng rng(1, "tokenizer.bin");
  int read_whole = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::string message = error_of_bytes(mutated({whole}, rng));
    read_whole += message.empty();
    ASSERT_TRUE(message.empty() || message.starts_with(path_)) << message;
  }
  EXPECT_GT(read_whole, 100);
  EXPECT_LT(read_whole, 4900);
}

}  // namespace
}  // namespace cria
