// What readers of such files were found to do wrong elsewhere, each kind in all of cria's readers
// at once. An Error is what must come of each file: a wrapped size, a believed count or an index
// out of range would be a crash, std::bad_alloc or std::length_error instead. What else is refused,
// and in which words, stands in the tests of each reader.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/checksum.h"
#include "base/toml.h"
#include "cria/base/file.h"
#include "cria/base/json.h"
#include "cria/data/shard.h"
#include "cria/exchange/model_directory.h"
#include "cria/tokenizer_files/tokenizer_file.h"
#include "data/dataset_json.h"
#include "exchange/checkpoint_files.h"
#include "exchange/gguf_model.h"
#include "exchange/llama2c_model.h"
#include "exchange/tensor_file.h"
#include "io/llama2c_tokenizer.h"
#include "io/npy.h"
#include "io/tfevents.h"
#include "support/bytes.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

class PublishedFlaws : public testing::Test {
 protected:
  // The file of that name in a directory, read as what its name says, is an Error that says so.
  void expect(const std::string& name, const std::string& bytes, const std::string& part) const {
    write_quickly(directory_ / name, bytes);
    const std::string message = error_of([&] { read(name); });
    EXPECT_TRUE(contains(message, part)) << name << ": " << part << " in '" << message << "'";
    std::filesystem::remove(directory_ / name);
  }

  // A file of tensors whose header is JSON.
  void expect_safetensors(const std::string& header, size_t data, const std::string& part) const {
    expect("a.safetensors", little_endian(header.size()) + header + std::string(data, '\0'), part);
  }

  // A file of version 3, with these counts of tensors and keys.
  void expect_gguf(uint64_t tensors, uint64_t keys, const std::string& rest,
                   const std::string& part) const {
    expect("a.gguf",
           "GGUF" + little_endian(3, 4) + little_endian(tensors) + little_endian(keys) + rest,
           part);
  }

  static std::string text(const std::string& content) {
    return little_endian(content.size()) + content;
  }
  static std::string key(const std::string& name, uint64_t type) {
    return text(name) + little_endian(type, 4);
  }
  static std::string tensor(const std::string& name, const std::vector<uint64_t>& sizes,
                            uint64_t offset) {
    std::string bytes = text(name) + little_endian(sizes.size(), 4);
    for (const uint64_t size : sizes) bytes += little_endian(size);
    return bytes + little_endian(0, 4) + little_endian(offset);
  }

  static std::string npy(const std::string& dict) {
    return std::string("\x93NUMPY\x01\x00", 8) + little_endian(dict.size() + 1, 2) + dict + "\n" +
           std::string(24, '\0');
  }

  static std::string shard(uint64_t count, const std::string& data) {
    const std::string start = little_endian(20240801, 4) + little_endian(7, 4);
    return start + little_endian(count, 4) + std::string(1012, '\0') + data;
  }

  static std::string llama2c(const std::vector<uint64_t>& numbers) {
    std::string bytes;
    for (const uint64_t number : numbers) bytes += little_endian(number, 4);
    return bytes;
  }

  // A BPE of one byte, but for what is given.
  static std::string tokenizer(const std::string& vocab, const std::string& added = "",
                               const std::string& processor = "null") {
    return R"({"version":"1.0","added_tokens":[)" + added +
           R"(],"normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},)"
           R"("post_processor":)" +
           processor + R"(,"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":)" + vocab +
           R"(,"merges":[]}})";
  }

  TemporaryDirectory directory_;

 private:
  void read(const std::string& name) const {
    const std::string path = directory_ / name;
    if (name == "tokenizer.bin") return void(read_llama2c_tokenizer(path));
    if (name == "a.bin") return void(Shard(path, ShardFormat::llmc));
    if (name == "a.npy") return void(read_npy(path));
    if (name == "a.json") return void(read_json(path));
    if (name == "a.toml") return void(parse_toml(read_file(path), path));
    if (name == "a.tiktoken") return void(read_tokenizer(path, "gpt2"));
    if (name == "a.tfevents") return void(scan_events(read_file(path), path));
    if (name == "config.json") return void(read_model_config(directory_.path()));
    if (name == "dataset.json") return void(read_dataset_json(directory_.path()));
    if (name == "trainer.json") {
      return void(require_whole(directory_.path(), CheckpointFiles::all));
    }
    if (name == "tokenizer.json" || name == "tokenizer_config.json" || name == "vocab.json") {
      return void(read_tokenizer(directory_.path()));
    }
    const TensorFile file(path);
  }
};

// The bytes of these would be few again when they are counted in 64 bits, or in 32.
TEST_F(PublishedFlaws, SizesThatWrap) {
  expect_safetensors(
      R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0,
      "the shape is too large");
  expect_safetensors(
      R"({"a":{"dtype":"F32","shape":[4294967297,1073741824],"data_offsets":[0,4294967296]}})", 0,
      "the shape is too large");
  expect("a.safetensors", little_endian(UINT64_MAX - 7) + "{}", "not a file of tensors");
  expect_gguf(1, 0, tensor("t", {uint64_t{1} << 32, uint64_t{1} << 32}, 0), "too large");
  expect_gguf(1, 0, tensor("t", {8}, UINT64_MAX - 31) + std::string(64, '\0'), "ends beyond");
  expect_gguf(0, 1, little_endian(UINT64_MAX) + std::string(32, '\0'), "impossible length");
  expect("a.npy",
         npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }"),
         "the shape is too large");
  expect("a.llama2c", llama2c({1 << 20, 1 << 22, 1 << 10, 2, 2, 1 << 24, 1 << 24}), "size");
  expect("a.bin", shard(0x40000001, "\1\0\0\0"), "truncated shard");
}

// Memory for these would be asked for before the file has ended.
TEST_F(PublishedFlaws, CountsBelievedBeforeTheBytesAreThere) {
  const std::string rest(64, '\0');
  expect_safetensors(R"({"a":{"dtype":"I8","shape":[281474976710656],"data_offsets":[0,0]}})", 0,
                     "the data does not have the size");
  expect("a.safetensors", little_endian(99'999'999) + "{}", "ends inside its header");
  expect_gguf(uint64_t{1} << 40, 0, rest, "impossible number of tensors");
  expect_gguf(0, uint64_t{1} << 40, rest, "impossible number of keys");
  expect_gguf(0, 1, key("a", 9) + little_endian(8, 4) + little_endian(uint64_t{1} << 40) + rest,
              "impossible length of an array");
  expect_gguf(0, 1, key("a", 8) + little_endian(1 << 30) + rest, "bytes of a string");
  expect("a.npy", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (281474976710656,), }"),
         "expected: 2251799813685248 bytes");
  expect("tokenizer.bin", llama2c({8, 0, 0xFFFFFFFF}), "4294967295 bytes of a token");
  expect("a.bin", shard(INT32_MAX, ""), "truncated shard");
  expect("config.json", R"({"model_type":"llama","vocab_size":4,"hidden_size":1000000000000})",
         "hidden_size");
}

TEST_F(PublishedFlaws, Alignment) {
  const auto expect_alignment = [&](uint64_t alignment) {
    const std::string pair = key("general.alignment", 4) + little_endian(alignment, 4);
    expect_gguf(0, 1, pair + std::string(64, '\0'), "impossible alignment");
  };
  for (const uint64_t alignment : {0u, 3u, 0xFFFFFFFFu}) expect_alignment(alignment);
  expect_gguf(1, 0, tensor("t", {1}, 4) + std::string(64, '\0'), "not aligned");
}

TEST_F(PublishedFlaws, NestedArrays) {
  const std::string deep(100'000, '[');
  expect("a.json", deep, "nested too deeply");
  expect_safetensors(R"({"a":)" + deep + "}", 0, "nested too deeply");
  expect("tokenizer.json", tokenizer(deep), "nested too deeply");
  expect("a.toml", "a = " + deep, "nested");
  expect_gguf(0, 1, key("a", 9) + little_endian(9, 4) + std::string(1000, '\x09'),
              "arrays of arrays are not read");
  expect("a.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': ((((6,),),),), }"),
         "size");
}

TEST_F(PublishedFlaws, OverlappingTensors) {
  expect_safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                     R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                     8, "overlaps another");
  expect_gguf(2, 0, tensor("t", {16}, 0) + tensor("u", {1}, 32) + std::string(128, '\0'),
              "overlaps another");
}

TEST_F(PublishedFlaws, DuplicateKeys) {
  expect("a.json", R"({"a":1,"\u0061":2})", "repeated JSON key 'a'");
  expect("a.toml", "a.b = 1\n[a]\nb = 2\n", "twice");
  const std::string entry = R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  expect_safetensors(R"({"a":)" + entry + R"(,"a":)" + entry + "}", 4, "repeated JSON key 'a'");
  const std::string pair = key("a", 0) + "\1";
  expect_gguf(0, 2, pair + pair, "repeated key");
  expect_gguf(2, 0, tensor("t", {1}, 0) + tensor("t", {1}, 32) + std::string(64, '\0'), "repeated");
  expect("a.npy", npy("{'descr': '<f4', 'descr': 'O', 'fortran_order': False, 'shape': (6,), }"),
         "repeated key");
  expect("tokenizer.json", tokenizer(R"({"a":0,"b":0})"), "two tokens have the id 0");
  expect("a.tiktoken", "YQ== 0\nYQ== 1\n", "two ids for the token 'a'");
}

// Files are opened and removed by these names.
TEST_F(PublishedFlaws, PathTraversal) {
  for (const std::string name : {"../a", "/etc/passwd", "a/../../b", "..", "a\\\\b"}) {
    expect("model.safetensors.index.json", R"({"weight_map":{"a":")" + name + R"("}})",
           "not the plain name of a file");
    expect("dataset.json", R"({"val":{"shards":[")" + name + R"("]}})", "not the name of a file");
    expect("dataset.json", R"({"tokenizer":{"file":")" + name + R"("}})", "not the name of a file");
    Json trainer = Json::parse(R"({"files":{")" + name + R"(":"1"}})", "");
    trainer.set("checksum", checksum(trainer.dump()));
    expect("trainer.json", trainer.dump(), "not the name of a file");
  }
}

// Ids that would be the places of tokens in memory.
TEST_F(PublishedFlaws, TokenIndexFromText) {
  for (const std::string id : {"-1", "1", "2147483648", "4294967296", "9223372036854775807"}) {
    expect("tokenizer.json", tokenizer(R"({"a":)" + id + "}"), "ids with holes");
    const std::string added = R"({"id":)" + id +
                              R"(,"content":"<s>","single_word":false,"lstrip":false,)"
                              R"("rstrip":false,"normalized":false,"special":true})";
    expect("tokenizer.json",
           tokenizer(R"({"a":0})", "",
                     R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"a",)"
                     R"("type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],)"
                     R"("special_tokens":{"a":{"id":"a","ids":[)" +
                         id + R"(],"tokens":["a"]}}})"),
           "outside the vocabulary");
    if (id == "1") continue;
    expect("tokenizer.json", tokenizer(R"({"a":0})", added), "<s>");
    expect("a.tiktoken", "YQ== 0\nYg== " + id + "\n", "ids with holes");
  }
  expect("a.tiktoken", "YQ== 99999999999999999999\n", "not a token");
  expect("dataset.json", R"({"bos_token_id":-2})", "bos_token_id");
  expect("dataset.json", R"({"eos_token_id":4294967296})", "eos_token_id");
}

}  // namespace
}  // namespace cria
