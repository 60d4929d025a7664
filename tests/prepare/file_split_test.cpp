#include "prepare/file_split.h"

#include <gtest/gtest.h>

#include <random>

namespace cria {
namespace {

using Lengths = std::vector<int64_t>;

FileSplit split_of(FileSplitter& splitter, const Lengths& documents, bool is_last) {
  for (const int64_t tokens : documents) splitter.add_document(tokens, 3 * tokens);
  return splitter.end_file(is_last);
}

TEST(FileSplitTest, ADocumentThatIsAFileIsCut) {
  FileSplitter splitter(0.25);
  const FileSplit split = split_of(splitter, {10}, true);
  EXPECT_EQ(split.train.tokens, 7);
  EXPECT_EQ(split.val.tokens, 3);
  EXPECT_EQ(split.train.documents + split.val.documents, 2);
  EXPECT_EQ(split.train.bytes + split.val.bytes, 30);
  EXPECT_TRUE(split.cuts_document);
}

TEST(FileSplitTest, TheEndOfEachFileValidatesWhateverTheirOrder) {
  for (const Lengths& files : {Lengths{50000, 300000}, Lengths{300000, 50000}}) {
    FileSplitter splitter(0.1);
    for (size_t i = 0; i < files.size(); ++i) {
      EXPECT_EQ(split_of(splitter, {files[i]}, i == 1).val.tokens, files[i] / 10);
    }
  }
}

// One by one, each would be rounded to nothing or to all of it.
TEST(FileSplitTest, SmallFilesMakeUpForEachOthersRounding) {
  FileSplitter splitter(0.1);
  int64_t val = 0;
  for (int i = 0; i < 1000; ++i) val += split_of(splitter, {3}, i == 999).val.tokens;
  EXPECT_EQ(val, 300);
  FileSplitter pairs(0.1);
  val = 0;
  for (int i = 0; i < 1000; ++i) val += split_of(pairs, {3, 3}, i == 999).val.tokens;
  EXPECT_EQ(val, 600);
}

TEST(FileSplitTest, DocumentsAreDividedByTheirTokens) {
  FileSplitter splitter(0.3);
  const FileSplit split = split_of(splitter, {1, 1, 1, 1, 10, 2, 4}, true);
  EXPECT_EQ(split.train.tokens, 14);  // 14 and 16 are about the same; of 20
  EXPECT_EQ(split.train.documents, 5);
  EXPECT_EQ(split.val.documents, 2);
  EXPECT_EQ(split.val.tokens, 6);
  EXPECT_EQ(split.val.bytes, 18);
  EXPECT_FALSE(split.cuts_document);
}

TEST(FileSplitTest, TheFirstDocumentTrainsAndSomethingValidates) {
  FileSplitter most(0.99);
  EXPECT_EQ(split_of(most, {5, 1, 1}, true).train.tokens, 5);
  FileSplitter few(0.01);
  EXPECT_EQ(split_of(few, {5, 5, 5}, false).val.tokens, 0);
  EXPECT_EQ(split_of(few, {5, 5, 5}, true).val.tokens, 5);
  FileSplitter other(0.01);
  EXPECT_EQ(split_of(other, {1000}, false).val.tokens, 10);
  EXPECT_EQ(split_of(other, {5, 5, 5}, true).val.tokens, 0);
}

TEST(FileSplitTest, FilesOfNothingAndOfOneToken) {
  FileSplitter splitter(0.9);
  const FileSplit nothing = split_of(splitter, {}, false);
  EXPECT_EQ(nothing.train.tokens + nothing.val.tokens, 0);
  EXPECT_FALSE(nothing.cuts_document);
  const FileSplit one = split_of(splitter, {1}, true);
  EXPECT_EQ(one.train.documents, 0);
  EXPECT_EQ(one.val.documents, 1);
  EXPECT_EQ(one.val.tokens, 1);
}

// The ends that are remembered are then some of them, of which the last is none of the file's.
TEST(FileSplitTest, OfManyDocumentsTheLastValidate) {
  FileSplitter splitter(1e-9);
  const FileSplit split = split_of(splitter, Lengths(100001, 1), true);
  EXPECT_GE(split.val.documents, 1);
  EXPECT_LT(split.val.documents, 10);
}

TEST(FileSplitTest, MillionsOfDocumentsAreDividedAlmostExactly) {
  std::mt19937 random(1);
  FileSplitter splitter(0.1);
  for (int i = 0; i < 1000003; ++i) splitter.add_document(1 + random() % 100, 1);
  const FileSplit split = splitter.end_file(true);
  const auto total = static_cast<double>(split.train.tokens + split.val.tokens);
  EXPECT_EQ(split.train.documents + split.val.documents, 1000003);
  // One of 2^15 ends or more is nearest, and documents are at most twice as long as the mean.
  EXPECT_NEAR(static_cast<double>(split.val.tokens) / total, 0.1, 1.0 / (1 << 15));
}

}  // namespace
}  // namespace cria
