#include "data/dataset_json.h"

#include <gtest/gtest.h>

#include "cria/base/file.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

class DatasetJsonTest : public testing::Test {
 protected:
  DatasetDescription read(const std::string& text) const {
    write_file(directory_ / "dataset.json", text);
    return read_dataset_json(directory_.path());
  }
  std::string error(const std::string& text) const {
    return error_of([&] { read(text); });
  }

  TemporaryDirectory directory_;
};

TEST_F(DatasetJsonTest, ReadsWhatItWrites) {
  const DatasetDescription dataset = {
      .path = directory_ / "dataset.json",
      .tokenizer = {.kind = "bpe", .file = "tokenizer.json", .hash = "1f", .vocab_size = 300},
      .train = {.tokens = 7, .bytes = 12, .documents = 2, .shards = {"train_0.bin", "train_1.bin"}},
      .val = {.tokens = 0, .bytes = 0, .documents = 0, .shards = {}},
      .bos = -1,
      .eos = 299};
  const std::string text = to_json(dataset).dump();
  EXPECT_EQ(
      text,
      R"({"tokenizer":{"kind":"bpe","vocab_size":300,"file":"tokenizer.json","hash":"1f"},)"
      R"("train":{"tokens":7,"bytes":12,"documents":2,"shards":["train_0.bin","train_1.bin"]},)"
      R"("val":{"tokens":0,"bytes":0,"documents":0,"shards":[]},)"
      R"("bos_token_id":null,"eos_token_id":299})");
  const DatasetDescription back = read(text);
  EXPECT_EQ(back.path, dataset.path);
  EXPECT_EQ(to_json(back).dump(), text);
}

TEST_F(DatasetJsonTest, MayLeaveAnythingOut) {
  EXPECT_EQ(read_dataset_json(directory_.path()).path, "");
  const DatasetDescription empty = read("{}"), nulls = read(R"({"train": null, "tokenizer": {}})");
  for (const DatasetDescription& dataset : {empty, nulls}) {
    EXPECT_TRUE(dataset.train.shards.empty());
    EXPECT_FALSE(dataset.train.tokens);
    EXPECT_EQ(dataset.tokenizer.hash, "");
    EXPECT_EQ(dataset.bos, -1);
  }
}

TEST_F(DatasetJsonTest, ErrorsNameTheKey) {
  for (const auto& [text, key] :
       {std::pair(R"([])", "dataset.json"), std::pair(R"({"train": 1})", "train"),
        std::pair(R"({"train": {"tokens": "1"}})", "train.tokens"),
        std::pair(R"({"val": {"shards": {}}})", "val.shards"),
        std::pair(R"({"val": {"shards": [1]}})", "val.shards"),
        std::pair(R"({"val": {"shards": ["a", "b"], "checksums": ["1"]}})", "val.checksums"),
        std::pair(R"({"tokenizer": {"hash": 1}})", "tokenizer.hash"),
        std::pair(R"({"bos_token_id": -1})", "bos_token_id"),
        std::pair(R"({"eos_token_id": 2147483648})", "eos_token_id")}) {
    EXPECT_TRUE(contains(error(text), key)) << text << ": " << error(text);
  }
}

// What is deleted or opened by these names is in the directory.
TEST_F(DatasetJsonTest, NamesStayInTheDirectory) {
  for (const char* const name : {"/etc/passwd", "../other.bin", "a/b.bin", "..", "", "a\\b"}) {
    const std::string quoted = Json(name).dump();
    const std::string said = error(R"({"train": {"shards": [)" + quoted + "]}}");
    EXPECT_TRUE(contains(said, "train.shards")) << name << ": " << said;
  }
  EXPECT_TRUE(contains(error(R"({"tokenizer": {"file": "../tokenizer.json"}})"), "tokenizer.file"));
}

TEST_F(DatasetJsonTest, NamesMasks) {
  const std::string text =
      R"({"tokenizer":{"kind":"","file":"","hash":""},"train":{"shards":["a.bin","b.bin"],)"
      R"("learned":3,"masks":["a.mask","b.mask"],"mask_checksums":["1","2"]},)"
      R"("val":{"shards":["c.bin"]},"bos_token_id":null,"eos_token_id":null})";
  const DatasetDescription dataset = read(text);
  EXPECT_EQ(dataset.train.learned, 3);
  EXPECT_EQ(to_json(dataset).dump(), text);
  const auto path = [&](const std::string& name) { return directory_ / name; };
  EXPECT_EQ(named_masks({path("b.bin"), path("c.bin"), path("a.bin")}),
            (std::vector<std::string>{path("b.mask"), path("a.mask")}));
  EXPECT_NE(data_checksum({path("a.mask")}), "");
  EXPECT_NE(data_checksum({path("a.mask")}), data_checksum({path("b.mask")}));
  EXPECT_TRUE(contains(error(R"({"train": {"masks": ["../a"]}})"), "train.masks"));
}

// Of these shards in this order; only where each has one.
TEST_F(DatasetJsonTest, DataHasAChecksum) {
  read(R"({"train": {"shards": ["a", "b"], "checksums": ["1", "2"]}, "val": {"shards": ["c"]}})");
  const std::string a = directory_ / "a", b = directory_ / "b", c = directory_ / "c";
  EXPECT_EQ(data_checksum({a, b}).size(), 16u);
  EXPECT_EQ(data_checksum({a, b}), data_checksum({a, b}));
  EXPECT_NE(data_checksum({a, b}), data_checksum({b, a}));
  EXPECT_NE(data_checksum({a, b}), data_checksum({a}));
  for (const auto& shards : {std::vector<std::string>{a, c}, {c}, {}}) {
    EXPECT_EQ(data_checksum(shards), "");
  }
  read(R"({"train": {"shards": ["a", "b"], "checksums": ["1", "3"]}})");
  EXPECT_NE(data_checksum({a, b}), data_checksum({a}));
}

}  // namespace
}  // namespace cria
