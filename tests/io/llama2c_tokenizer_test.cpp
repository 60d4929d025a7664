#include "io/llama2c_tokenizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cria/base/file.h"
#include "support/bytes.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

using Pieces = std::vector<Llama2cPiece>;

class Llama2cTokenizer : public testing::Test {
 protected:
  TemporaryDirectory directory_;
  std::string path_ = directory_ / "tokenizer.bin";
};

// The beginning of the usual file: longest 27, score 0, five bytes.
TEST_F(Llama2cTokenizer, WritesTheKnownBytes) {
  const std::string bytes =
      llama2c_tokenizer_bytes({{"<unk>", 0.0f}, {std::string(27, ' '), -1.0f}}, path_);
  EXPECT_EQ(bytes, from_hex("1b 00 00 00 | 00 00 00 00 05 00 00 00 3c 75 6e 6b 3e") + raw({-1.0f}) +
                       raw({27}) + std::string(27, ' '));
}

TEST_F(Llama2cTokenizer, ScoresAreFinite) {
  const std::string bytes = llama2c_tokenizer_bytes({{"a"}, {"b"}}, path_);
  for (const float score : {NAN, INFINITY}) {
    write_quickly(path_, patched(bytes, 4 + 9, raw({score})));
    const std::string message = error_of([&] { read_llama2c_tokenizer(path_); });
    EXPECT_TRUE(contains(message, "token 1: the score is not finite")) << message;
  }
}

TEST_F(Llama2cTokenizer, RefusesToWriteWhatCannotBeRead) {
  for (const Llama2cPiece& piece :
       Pieces{{""}, {std::string("a\0b", 3)}, {"a", NAN}, {"a", -INFINITY}}) {
    const std::string message = error_of([&] { llama2c_tokenizer_bytes({{"x"}, piece}, path_); });
    EXPECT_TRUE(message.starts_with(path_ + ": token 1: ")) << message;
  }
  EXPECT_TRUE(directory_.names().empty());
}

}  // namespace
}  // namespace cria
