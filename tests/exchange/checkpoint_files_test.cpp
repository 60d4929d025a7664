#include "exchange/checkpoint_files.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/checksum.h"
#include "cria/exchange/load_model.h"
#include "support/changed_json.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

class CheckpointFilesTest : public testing::Test {
 protected:
  static constexpr auto kAll = CheckpointFiles::all, kWeights = CheckpointFiles::weights;

  CheckpointFilesTest() {
    write_quickly(directory_ / "model.safetensors", "weights");
    write_quickly(directory_ / "config.json", "{}");
    write_quickly(directory_ / "generation_config.json", "{}");
    add_checksums(trainer_, directory_.path());
    write(trainer_);
  }

  void write(const Json& trainer) const { write_quickly(path_, trainer.dump()); }

  // With the checksum of what it says itself, as a program wrote it that knows how.
  void write_signed(const Json& trainer) const {
    const Json unsigned_ = without(trainer, "checksum");
    write(with(unsigned_, {"checksum"}, checksum(unsigned_.dump())));
  }

  std::string error(CheckpointFiles files = kAll) const {
    return error_of([&] { require_whole(directory_.path(), files); });
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_ / kTrainerFile;
  Json trainer_ = Json::Object{{"step", 3}};
};

TEST_F(CheckpointFilesTest, WhatWasWrittenIsWhole) {
  EXPECT_TRUE(require_whole(directory_.path(), kAll));
  EXPECT_TRUE(require_whole(directory_.path(), kWeights));
  write_quickly(directory_ / "generation_config.json", R"({"temperature":0.5})");
  EXPECT_EQ(error(), "");
  write_quickly(directory_ / "config.json", "{ }");
  EXPECT_EQ(error(kWeights), "");
  EXPECT_TRUE(error().starts_with(directory_ / "config.json" + ": not the file that was written"))
      << error();
  write_quickly(directory_ / "model.safetensors", "weightz");
  EXPECT_TRUE(error(kWeights).starts_with(directory_ / "model.safetensors")) << error(kWeights);
}

TEST_F(CheckpointFilesTest, WithoutChecksumsItIsTakenAsItIs) {
  write(without(without(trainer_, "files"), "checksum"));
  EXPECT_FALSE(require_whole(directory_.path(), kAll));
  std::filesystem::remove(path_);
  EXPECT_FALSE(require_whole(directory_.path(), kWeights));
  EXPECT_TRUE(error().starts_with(path_)) << error();
}

TEST_F(CheckpointFilesTest, NamesWhatIsWrongWithWhatItSays) {
  write(with(trainer_, {"step"}, 4));
  EXPECT_EQ(error(), path_ + ": not what was written\n  expected: the checksum " +
                         trainer_.find("checksum")->as_string("") + "\n  got: " +
                         checksum(with(without(trainer_, "checksum"), {"step"}, 4).dump()) +
                         "\n  hint: --no-verify reads it as it is");
  write(with(trainer_, {"checksum"}, 5));
  EXPECT_TRUE(error().starts_with(path_ + ": checksum: wrong kind of JSON value")) << error();
  write(without(trainer_, "checksum"));
  EXPECT_TRUE(error().starts_with(path_) && contains(error(), "checksum")) << error();
  write_signed(without(trainer_, "files"));
  EXPECT_TRUE(error().starts_with(path_) && contains(error(), "files")) << error();
  write_signed(with(trainer_, {"files"}, Json::Array{}));
  EXPECT_TRUE(error().starts_with(path_ + ": files: wrong kind of JSON value")) << error();
  write_signed(with(trainer_, {"files", "model.safetensors"}, 5));
  EXPECT_TRUE(error().starts_with(path_ + ": files: wrong kind of JSON value")) << error();
  write(Json::Array{});
  EXPECT_TRUE(error().starts_with(path_ + ": wrong kind of JSON value")) << error();
}

}  // namespace
}  // namespace cria
