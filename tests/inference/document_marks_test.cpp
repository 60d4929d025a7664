#include "inference/document_marks.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

#include "cria/base/file.h"
#include "support/errors.h"
#include "support/files.h"
#include "support/tiny_model.h"

namespace cria {
namespace {

class DocumentMarksTest : public ::testing::Test {
 protected:
  // A directory with a dataset.json of that text (none when it is empty); the glob of its
  // shards.
  std::string dataset(const std::string& name, const std::string& text) const {
    std::filesystem::create_directory(directory_ / name);
    if (!text.empty()) write_file(directory_ / (name + "/dataset.json"), text);
    return directory_ / (name + "/train_*.bin");
  }

  DocumentMarks marks(const std::vector<std::string>& globs,
                      const DocumentMarks& given = {}) const {
    return document_marks(model_, globs, given);
  }

  void expect_error(const std::vector<std::string>& globs, const DocumentMarks& given,
                    const std::vector<std::string>& parts) const {
    const std::string message = error_of([&] { marks(globs, given); });
    for (const std::string& part : parts) {
      EXPECT_NE(message.find(part), std::string::npos) << part << " is not in: " << message;
    }
  }

  TemporaryDirectory directory_;
  ModelConfig model_ = tiny_config();  // 37 tokens
};

TEST_F(DocumentMarksTest, WhatTheDatasetsSay) {
  const std::string both = dataset("both", R"({"bos_token_id": 3, "eos_token_id": 4})"),
                    eos = dataset("eos", R"({"bos_token_id": null, "eos_token_id": 4})"),
                    bos = dataset("bos", R"({"bos_token_id": 3})");
  EXPECT_EQ(marks({both}), (DocumentMarks{.bos = 3, .eos = 4}));
  EXPECT_EQ(marks({eos}), (DocumentMarks{.eos = 4}));
  EXPECT_EQ(marks({bos}), (DocumentMarks{.bos = 3}));
  EXPECT_EQ(marks({eos, bos, both}), (DocumentMarks{.bos = 3, .eos = 4}));
}

TEST_F(DocumentMarksTest, WhatIsGivenWins) {
  const std::string both = dataset("both", R"({"bos_token_id": 3, "eos_token_id": 4})"),
                    none = dataset("none", "");
  EXPECT_EQ(marks({both}, {.bos = 7}), (DocumentMarks{.bos = 7, .eos = 4}));
  EXPECT_EQ(marks({both, none}, {.eos = 0}), (DocumentMarks{.bos = 3, .eos = 0}));
  EXPECT_EQ(marks({none}, {.eos = 36}), (DocumentMarks{.eos = 36}));
}

TEST_F(DocumentMarksTest, SomeShardsHaveNone) {
  const std::string eos = dataset("eos", R"({"eos_token_id": 4})"), none = dataset("none", ""),
                    null = dataset("null", R"({"bos_token_id": null})");
  expect_error({eos, none}, {},
               {none, "nothing says where documents begin", "no dataset.json", "--bos or --eos"});
  expect_error({null}, {}, {"null/dataset.json", "got: neither", "data.eos_token_id"});
}

TEST_F(DocumentMarksTest, DifferentOnes) {
  const std::string a = dataset("a", R"({"eos_token_id": 4})"),
                    b = dataset("b", R"({"eos_token_id": 5})");
  expect_error({a, b}, {}, {"b/dataset.json: eos_token_id", "expected: 4", "got: 5"});
  EXPECT_EQ(marks({a, b}, {.eos = 6}), (DocumentMarks{.eos = 6}));
}

TEST_F(DocumentMarksTest, NoTokensOfTheModel) {
  const std::string far = dataset("far", R"({"eos_token_id": 37})"),
                    text = dataset("text", R"({"bos_token_id": "<s>"})");
  expect_error({far}, {}, {"far/dataset.json: eos_token_id", "below 37", "got: 37"});
  expect_error({far}, {.bos = 40, .eos = 1}, {"data.bos_token_id", "got: 40"});
  expect_error({text}, {}, {"text/dataset.json: bos_token_id"});
}

TEST_F(DocumentMarksTest, AMemoryReachesAcross) {
  model_.memory_length = 8;
  expect_error({dataset("eos", R"({"eos_token_id": 4})")}, {},
               {"data.mask_documents", "model.memory_length = 0", "got: 8"});
}

}  // namespace
}  // namespace cria
