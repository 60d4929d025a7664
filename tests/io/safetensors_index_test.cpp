// Models cut into several files.
#include <gtest/gtest.h>

#include <filesystem>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "io/safetensors.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

constexpr const char* kIndex = "model.safetensors.index.json";
constexpr const char* kFirst = "model-00001-of-00002.safetensors";
constexpr const char* kSecond = "model-00002-of-00002.safetensors";

class SafetensorsIndex : public testing::Test {
 protected:
  SafetensorsIndex() {
    write_safetensors(directory_ / kFirst,
                      {{"b", ConstTensor(values_, {2})}, {"a", ConstTensor(values_ + 2, {1, 2})}});
    write_safetensors(directory_ / kSecond,
                      {{"c", ConstTensor(values_ + 4, {2}), NumberFormat::bf16}});
    write_index(weight_map_);
  }

  void write_index(const std::string& weight_map) const {
    write_quickly(directory_ / kIndex,
                  R"({"metadata":{"total_size":1,"more":{}},"weight_map":)" + weight_map + "}");
  }

  std::vector<float> read(const SafetensorsFile& file, const std::string& name) const {
    std::vector<float> values(2);
    file.find(name)->read_rows(0, 1, values.data());
    return values;
  }

  // The error of opening the directory with this index.
  std::string error_with(const std::string& weight_map) const {
    write_index(weight_map);
    return error_of([&] { SafetensorsFile{directory_.path()}; });
  }

  const float values_[6] = {1, 2, 3, 4, 5, 6};
  TemporaryDirectory directory_;
  const std::string weight_map_ =
      std::string(R"({"a":")") + kFirst + R"(","c":")" + kSecond + R"(","b":")" + kFirst + R"("})";
};

TEST_F(SafetensorsIndex, ReadsAsOneFile) {
  for (const std::string& path : {directory_.path(), directory_ / kIndex}) {
    const SafetensorsFile file(path);
    EXPECT_EQ(file.path(), directory_ / kIndex);
    std::string names;
    for (const StoredTensor& entry : file.entries()) names += entry.name;
    EXPECT_EQ(names, "abc");
    EXPECT_EQ(read(file, "a"), (std::vector<float>{3, 4}));
    EXPECT_EQ(read(file, "b"), (std::vector<float>{1, 2}));
    EXPECT_EQ(read(file, "c"), (std::vector<float>{5, 6}));
    EXPECT_EQ(file.find("c")->where, directory_ / kSecond + ": tensor 'c'");
    ASSERT_EQ(file.metadata().size(), 1u);
    EXPECT_NE(
        error_of([&] { file.require("d", ConstTensor(values_, {2})); }).find("no such tensor"),
        std::string::npos);
  }
}

TEST_F(SafetensorsIndex, IsPreferredToTheWholeFile) {
  const std::string whole = directory_ / "model.safetensors";
  write_safetensors(whole, {{"whole", ConstTensor(values_, {2})}});
  EXPECT_EQ(SafetensorsFile(directory_.path()).find("whole"), nullptr);
  EXPECT_NE(SafetensorsFile(whole).find("whole"), nullptr);
  std::filesystem::remove(directory_ / kIndex);
  EXPECT_NE(SafetensorsFile(directory_.path()).find("whole"), nullptr);
  std::filesystem::remove(whole);
  EXPECT_TRUE(error_of([&] { SafetensorsFile{directory_.path()}; }).starts_with(whole));
}

TEST_F(SafetensorsIndex, RefusesWhatIsNotAsItSays) {
  const auto expect = [&](const std::string& weight_map, const std::string& fragment) {
    const std::string message = error_with(weight_map);
    EXPECT_NE(message.find(fragment), message.npos) << weight_map << "\n" << message;
  };
  expect(R"({"a":"model-00003-of-00003.safetensors"})", "model-00003-of-00003.safetensors");
  expect(R"([])", "weight_map: wrong kind of JSON value");
  expect(R"({"a":1})", "weight_map, 'a': wrong kind of JSON value");
  expect(R"({"a":"x","a":"x"})", "repeated JSON key 'a'");
  expect(std::string(R"({"a":")") + kFirst + R"(","b":")" + kSecond + R"("})",
         "not where the index says\n  expected: " + (directory_ / kSecond) +
             ": tensor 'b'\n  got: " + (directory_ / kFirst) + ": tensor 'b'");
  expect(std::string(R"({"d":")") + kFirst + R"("})", "tensor 'd'\n  got: nowhere");
  for (const std::string name : {"", ".", "..", "/etc/passwd", "a/b.safetensors",
                                 "../model.safetensors", "a\\\\b", "a\\u0000b"}) {
    expect(R"({"a":")" + name + R"("})", "not the plain name of a file");
  }
  write_quickly(directory_ / kIndex, R"({"metadata":{}})");
  EXPECT_NE(error_of([&] { SafetensorsFile{directory_.path()}; }).find("a key 'weight_map'"),
            std::string::npos);
}

TEST_F(SafetensorsIndex, RefusesATensorInTwoFiles) {
  write_safetensors(directory_ / kSecond,
                    {{"c", ConstTensor(values_, {2})}, {"a", ConstTensor(values_, {2})}});
  const std::string message = error_with(weight_map_);
  EXPECT_NE(message.find("the tensor is in two files\n  got: " + (directory_ / kFirst) +
                         ": tensor 'a' and in " + (directory_ / kSecond)),
            message.npos)
      << message;
}

TEST_F(SafetensorsIndex, ChecksEveryFile) {
  const std::string bytes = read_file(directory_ / kSecond);
  write_quickly(directory_ / kSecond, bytes.substr(0, bytes.size() - 1));
  const std::string message = error_with(weight_map_);
  EXPECT_TRUE(message.starts_with(directory_ / kSecond + ": tensor 'c': the file ends inside"))
      << message;
}

}  // namespace
}  // namespace cria
