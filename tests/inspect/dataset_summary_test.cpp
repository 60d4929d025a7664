#include "inspect/dataset_summary.h"

#include <gtest/gtest.h>

#include "cria/base/file.h"
#include "support/errors.h"
#include "support/files.h"
#include "support/tiny_run.h"
#include "tokenizer_files/tokenizer_json.h"

namespace cria {
namespace {

using Texts = std::vector<std::string>;

// Letters a to d; train in two shards, val in one; a bos.
class DatasetSummaryTest : public testing::Test {
 protected:
  DatasetSummaryTest() {
    const auto tokenizer = make_char_tokenizer({'a', 'b', 'c', 'd'});
    write_file(path("tokenizer.json"), tokenizer_json(*tokenizer));
    write_shard(path("train_000000.bin"), {0, 1, 2}, 4);
    write_shard(path("train_000001.bin"), {3, 0}, 4);
    write_shard(path("val_000000.bin"), {1}, 4);
    json_ = Json::Object{
        {"tokenizer", Json::Object{{"kind", "chars"},
                                   {"vocab_size", 4},
                                   {"file", "tokenizer.json"},
                                   {"hash", tokenizer_hash(*tokenizer)}}},
        {"train", Json::Object{{"tokens", 5},
                               {"shards", Json::Array{"train_000000.bin", "train_000001.bin"}}}},
        {"val", Json::Object{{"tokens", 1}, {"shards", Json::Array{"val_000000.bin"}}}},
        {"bos_token_id", 2},
        {"eos_token_id", nullptr}};
  }

  std::string path(const std::string& name) const { return directory_ / name; }
  DatasetSummary read(const std::string& what = "", const std::string& tokenizer = "") const {
    write_quickly(path("dataset.json"), json_.dump());
    return read_dataset(what.empty() ? directory_.path() : path(what), ShardFormat::llmc,
                        tokenizer);
  }

  TemporaryDirectory directory_;
  Json json_;
};

TEST_F(DatasetSummaryTest, Everything) {
  const DatasetSummary d = read();
  EXPECT_EQ(d.path, path("dataset.json"));
  EXPECT_EQ(d.tokenizer_path, path("tokenizer.json"));
  EXPECT_EQ(d.tokenizer->kind(), "chars");
  EXPECT_EQ(d.vocab_size, 4);
  EXPECT_EQ(d.bos, 2);
  EXPECT_EQ(d.eos, -1);
  EXPECT_EQ(d.warnings, Texts());
  ASSERT_EQ(d.splits.size(), 2u);
  EXPECT_EQ(d.splits[0].name, "train");
  EXPECT_EQ(d.splits[0].shards.size(), 2u);
  EXPECT_EQ(d.splits[0].tokens(), 5);
  EXPECT_EQ(d.splits[1].name, "val");
  EXPECT_EQ(d.splits[1].tokens(), 1);
}

TEST_F(DatasetSummaryTest, ShardsTakeWhatLiesBesideThem) {
  const DatasetSummary d = read("train_*.bin");
  ASSERT_EQ(d.splits.size(), 1u);
  EXPECT_EQ(d.splits[0].name, "shards");
  EXPECT_EQ(d.splits[0].tokens(), 5);
  EXPECT_EQ(d.vocab_size, 4);
  EXPECT_EQ(d.bos, 2);
  std::filesystem::remove(path("dataset.json"));
  const DatasetSummary bare =
      read_dataset(path("val_000000.bin"), ShardFormat::llmc, path("tokenizer.json"));
  EXPECT_EQ(bare.path, "");
  EXPECT_EQ(bare.vocab_size, 4) << "the tokenizer's";
  EXPECT_EQ(bare.bos, -1);
  EXPECT_EQ(read_dataset(path("val_000000.bin"), ShardFormat::llmc).vocab_size, 0);
}

TEST_F(DatasetSummaryTest, WhatDoesNotFitIsSaid) {
  write_file(path("other.json"), tokenizer_json(*make_char_tokenizer({'w', 'x', 'y', 'z'})));
  const DatasetSummary other = read("", path("other.json"));
  ASSERT_EQ(other.warnings.size(), 1u);
  EXPECT_NE(other.warnings[0].find("made with another tokenizer"), std::string::npos);

  json_.set("val", Json::Object{{"tokens", 7}, {"shards", Json::Array{"val_000000.bin"}}});
  std::filesystem::remove(path("tokenizer.json"));
  const DatasetSummary d = read();
  EXPECT_EQ(d.tokenizer, nullptr);
  EXPECT_EQ(d.vocab_size, 4) << "as dataset.json says";
  ASSERT_EQ(d.warnings.size(), 2u);
  EXPECT_EQ(d.warnings[0], path("tokenizer.json") + " is missing, so no token can be shown");
  EXPECT_EQ(d.warnings[1], "val has 1 tokens, not 7 as " + path("dataset.json") + " says");
}

TEST_F(DatasetSummaryTest, Errors) {
  const auto expect = [&](const std::string& part) {
    const std::string error = error_of([&] { read(); });
    EXPECT_NE(error.find(part), std::string::npos) << part << " is not in: " << error;
  };
  json_.set("bos_token_id", -7);
  expect("dataset.json: bos_token_id: not a token id");
  json_.set("bos_token_id", "<s>");
  expect("dataset.json: bos_token_id");
  json_.set("bos_token_id", nullptr);
  json_.set("train", Json::Object{{"shards", "train_000000.bin"}});
  expect("dataset.json: train.shards");
  json_.set("train", Json::Object{{"shards", Json::Array{"train_000007.bin"}}});
  expect("train_000007.bin: cannot open");
  json_ = Json::Object{};
  expect("dataset.json: no shards");
  json_ = Json::Array{};
  expect("dataset.json");
}

}  // namespace
}  // namespace cria
