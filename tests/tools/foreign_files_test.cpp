// Files that strangers made, and files that change.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "support/bytes.h"
#include "support/cli.h"

namespace cria {
namespace {

using ForeignFilesTest = CliTest;

std::string safetensors(const std::string& header, const std::string& data) {
  return little_endian(header.size()) + header + data;
}

TEST_F(ForeignFilesTest, NamesAreNoCommandsToATerminal) {
  write("x.safetensors", safetensors(R"({"\u001b]0;pwned\u0007\u202ea\nb\u009b31m":)"
                                     R"({"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})",
                                     raw({1.0f})));
  const std::string escaped = R"(\x1b]0;pwned\x07\xe2\x80\xaea\nb\xc2\x9b31m)";
  const ProcessResult table = run({"inspect", "x.safetensors"});
  EXPECT_TRUE(contains(table.out, escaped.substr(0, 10))) << table.out;
  const ProcessResult missing = cria({"inspect", "x.safetensors", "--tensor", "a"});
  EXPECT_EQ(missing.exit_code, 1);
  const ProcessResult one =
      run({"inspect", "x.safetensors", "--tensor", "\x1b]0;pwned\x07\u202ea\nb\u009b31m"});
  EXPECT_TRUE(contains(one.out, escaped)) << one.out;
  const std::string all = table.out + table.err + missing.err + one.out;
  for (const char* const command : {"\x1b", "\x07", "\u202e", "\u009b"}) {
    EXPECT_FALSE(contains(all, command)) << all;
  }
}

TEST_F(ForeignFilesTest, AShardThatIsCutShortWhileItIsReadIsNamed) {
  Process training(cria_binary(),
                   {"train", "tiny.toml", "train.steps=1000000000", "train.eval_every=0",
                    "train.checkpoint_every=0"},
                   path(""));
  while (!exists(path("new/metrics.jsonl"))) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::filesystem::resize_file(path(kTrainShard), 0);
  const ProcessResult result = training.wait();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.err, "cria: error: ")) << result.err;
  EXPECT_TRUE(contains(result.err, "was cut short while it was read")) << result.err;
#ifdef __linux__
  EXPECT_TRUE(contains(result.err, std::string(kTrainShard) + " at byte ")) << result.err;
#endif
}

}  // namespace
}  // namespace cria
