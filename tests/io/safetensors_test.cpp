#include "io/safetensors.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/mutations.h"
#include "cria/base/error.h"
#include "support/bytes.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

std::string with_length(const std::string& header, const std::string& data) {
  return little_endian(header.size()) + header + data;
}

std::vector<float> read_all(const SafetensorsFile& file, const StoredTensor& entry) {
  Tensor view;
  view.rank = static_cast<int>(entry.shape.size());
  std::copy(entry.shape.begin(), entry.shape.end(), view.shape.begin());
  int64_t stride = 1;
  for (int axis = view.rank; axis-- > 0; stride *= view.shape[axis]) view.strides[axis] = stride;
  std::vector<float> values(static_cast<size_t>(view.size()));
  view.data = values.data();
  file.read(entry.name, view);
  return values;
}

class Safetensors : public testing::Test {
 protected:
  SafetensorsFile open(const std::string& bytes) const {
    write_quickly(path_, bytes);
    return SafetensorsFile(path_);
  }

  // The error of opening a file of these bytes.
  std::string error_of_opening(const std::string& bytes) const {
    const std::string message = error_of([&] { open(bytes); });
    return message.empty() ? "no error" : message;
  }

  // Opens one tensor of that dtype as values.
  template <class Element>
  std::vector<float> values_of(const std::string& dtype,
                               std::initializer_list<Element> elements) const {
    const std::string header = R"({"x":{"dtype":")" + dtype + R"(","shape":[)" +
                               std::to_string(elements.size()) + R"(],"data_offsets":[0,)" +
                               std::to_string(elements.size() * sizeof(Element)) + "]}}";
    const SafetensorsFile file = open(with_length(header, raw(elements)));
    return read_all(file, file.entries().front());
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_ / "f.safetensors";
};

// Two tensors, enough to damage.
const std::string kHeader =
    R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
    R"("b":{"dtype":"I32","shape":[1,1],"data_offsets":[8,12]}})";
const std::string kTensorData = raw({1.0f, 2.0f}) + raw({7});

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, text.npos) << from;
  return text.replace(at, from.size(), to);
}

// The bytes that the format's reference implementation writes.
TEST_F(Safetensors, WritesTheReferenceBytes) {
  const float values[] = {1.0f, 2.0f};
  write_safetensors(path_, {{"a", ConstTensor(values, {2})}});
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}   )";
  EXPECT_EQ(read_file(path_), std::string("\x58\0\0\0\0\0\0\0", 8) + header +
                                  std::string("\x00\x00\x80\x3f\x00\x00\x00\x40", 8));
  EXPECT_EQ(directory_.names(), std::vector<std::string>{"f.safetensors"});
}

TEST_F(Safetensors, ReadsBackWhatItWrites) {
  const float values[] = {1.5f, -0.0f, 3.0e38f, 1.0e-45f, INFINITY, -7.0f};
  write_safetensors(path_, {{"weight \"é\"", ConstTensor(values, {3, 2})},
                            {"b", ConstTensor(values, {1, 2, 1, 1})},
                            {"scalar", ConstTensor(values + 5, {})},
                            {"empty", ConstTensor(nullptr, {0, 4})},
                            {"B", ConstTensor(values, {6})}});
  const SafetensorsFile file(path_);
  using Metadata = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(file.metadata(), (Metadata{{"format", "pt"}}));
  EXPECT_EQ(file.path(), path_);
  std::vector<std::string> names;
  for (const StoredTensor& entry : file.entries()) {
    names.push_back(entry.name);
    const std::vector<float> got = read_all(file, entry);
    const float* const expected = entry.name == "scalar" ? values + 5 : values;
    EXPECT_TRUE(got.empty() || std::memcmp(got.data(), expected, 4 * got.size()) == 0)
        << entry.name;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"B", "b", "empty", "scalar", "weight \"é\""}));
  EXPECT_EQ(file.find("b")->shape, (std::vector<int64_t>{1, 2, 1, 1}));
  EXPECT_EQ(file.find("scalar")->shape, std::vector<int64_t>{});
  EXPECT_TRUE(file.find("empty")->bytes.empty());
  EXPECT_EQ(file.find("c"), nullptr);

  write_safetensors(path_, {});
  EXPECT_TRUE(SafetensorsFile(path_).entries().empty());
}

TEST_F(Safetensors, WriterRefusesWhatTheFormatCannotHold) {
  const float values[] = {1, 2, 3, 4};
  const ConstTensor square(values, {2, 2});
  EXPECT_THROW(write_safetensors(path_, {{"a", square}, {"b", square}, {"a", square}}), Error);
  EXPECT_THROW(write_safetensors(path_, {{"__metadata__", square}}), Error);
  EXPECT_THROW(write_safetensors(path_, {{"a", square.narrow(1, 0, 1)}}), Error);
  EXPECT_THROW(write_safetensors(path_, {{"\xFF", square}}), Error);
  EXPECT_TRUE(directory_.names().empty());
}

// Any order of keys, spaces, escapes, tensors out of order, and data at an odd address.
TEST_F(Safetensors, ReadsWhatOthersMayWrite) {
  const std::string header =
      R"({ "z" : {"data_offsets":[4,12],"shape":[2],"dtype":"F32"},)"
      "\n"
      R"("\u0061":{"shape":[2,1],"dtype":"BF16","data_offsets":[0,4]},"none":)"
      R"({"dtype":"F16","shape":[0,281474976710656],"data_offsets":[4,4]},"__metadata__":{}} )";
  ASSERT_EQ(header.size() % 2, 1u) << "the data must be unaligned for this test to mean something";
  const SafetensorsFile file =
      open(with_length(header, raw<uint16_t>({0x3F80, 0xC000}) + raw({0.5f, 0.25f})));
  ASSERT_EQ(file.entries().size(), 3u);
  EXPECT_EQ(file.entries()[0].name, "a");
  EXPECT_EQ(file.entries()[1].name, "none");
  EXPECT_EQ(file.entries()[2].name, "z");
  EXPECT_TRUE(file.metadata().empty());
  EXPECT_EQ(read_all(file, file.entries()[0]), (std::vector<float>{1.0f, -2.0f}));
  EXPECT_EQ(read_all(file, file.entries()[1]), std::vector<float>{});
  EXPECT_EQ(read_all(file, file.entries()[2]), (std::vector<float>{0.5f, 0.25f}));
}

TEST_F(Safetensors, ConvertsF16Exactly) {
  const std::vector<float> values =
      values_of<uint16_t>("F16", {0x0000, 0x8000, 0x3C00, 0xC000, 0x7BFF, 0x0400, 0x03FF, 0x0001,
                                  0x8001, 0x3555, 0x7C00, 0xFC00, 0x7E00, 0xFE01, 0x7C01});
  const std::vector<float> expected = {0.0f,      -0.0f,       1.0f,         -2.0f,
                                       65504.0f,  0x1p-14f,    0x1.ff8p-15f, 0x1p-24f,
                                       -0x1p-24f, 0x1.554p-2f, INFINITY,     -INFINITY};
  ASSERT_EQ(std::memcmp(values.data(), expected.data(), 4 * expected.size()), 0);
  // A NaN keeps its sign and payload.
  EXPECT_EQ(std::bit_cast<uint32_t>(values[12]), 0x7FC00000u);
  EXPECT_EQ(std::bit_cast<uint32_t>(values[13]), 0xFFC02000u);
  EXPECT_TRUE(std::isnan(values[14]));
}

TEST_F(Safetensors, ConvertsBf16AndKeepsF32) {
  const std::vector<float> wide =
      values_of<uint16_t>("BF16", {0x3F80, 0x8000, 0x0001, 0x7F7F, 0xFF80, 0x7FC1, 0x4049});
  const uint32_t expected[] = {0x3F800000, 0x80000000, 0x00010000, 0x7F7F0000,
                               0xFF800000, 0x7FC10000, 0x40490000};
  EXPECT_EQ(std::memcmp(wide.data(), expected, sizeof expected), 0);
  const std::vector<float> same = values_of<uint32_t>("F32", {0x00000001, 0x7F812345, 0x80000000});
  const uint32_t bits[] = {0x00000001, 0x7F812345, 0x80000000};
  EXPECT_EQ(std::memcmp(same.data(), bits, sizeof bits), 0);
}

TEST_F(Safetensors, ReadErrorsNameTensorAndShapes) {
  const SafetensorsFile file = open(with_length(kHeader, kTensorData));
  std::vector<float> memory(8);
  const auto error_of_read = [&](const std::string& name, const Tensor& out) -> std::string {
    try {
      file.read(name, out);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  float* const data = memory.data();
  EXPECT_EQ(error_of_read("a", Tensor(data, {2})), "no error");
  EXPECT_EQ(error_of_read("a", Tensor(data, {2, 1})),
            path_ + ": tensor 'a': wrong shape\n  expected: [2, 1]\n  got: [2]");
  EXPECT_EQ(error_of_read("a", Tensor(data, {3})),
            path_ + ": tensor 'a': wrong shape\n  expected: [3]\n  got: [2]");
  EXPECT_EQ(error_of_read("b", Tensor(data, {1, 1})),
            path_ + ": tensor 'b': wrong dtype\n  expected: F32, F16, BF16 or Q8_0\n  got: I32");
  EXPECT_EQ(error_of_read("A", Tensor(data, {2})),
            path_ + ": tensor 'A': no such tensor\n  hint: did you mean 'a'?");
  Tensor strided = Tensor(data, {2});
  strided.strides[0] = 2;
  EXPECT_THROW(file.read("a", strided), Error);
}

TEST_F(Safetensors, RefusesDamagedFrames) {
  const std::string whole = with_length(kHeader, kTensorData);
  ASSERT_EQ(error_of_opening(whole), "no error");
  const auto expect = [&](const std::string& bytes, const std::string& fragment) {
    const std::string message = error_of_opening(bytes);
    EXPECT_TRUE(message.starts_with(path_)) << message;
    EXPECT_NE(message.find(fragment), message.npos) << fragment << " in " << message;
  };
  expect("", "got: 0 bytes");
  expect(whole.substr(0, 7), "got: 7 bytes");
  expect(little_endian(100'000'001) + "{}", "got: 100000001 bytes");
  expect(little_endian(UINT64_MAX) + "{}", "got: 18446744073709551615 bytes");
  expect(little_endian(UINT64_MAX - 7) + "{}", "got: 18446744073709551608 bytes");
  expect(little_endian(1) + "{}", "got: 1 byte\n");
  expect(little_endian(0) + "{}", "got: 0 bytes");
  expect(little_endian(100'000'000) + "{}", "ends inside its header\n  expected: a header of 100");
  expect(little_endian(3) + "{}", "ends inside its header\n  expected: a header of 3 bytes");
  expect(whole.substr(0, 50), "expected: a header of " + std::to_string(kHeader.size()));
  expect(with_length("[]", ""), "begins with '{'\n  got: '['");
  expect(with_length(" {}", ""), "begins with '{'\n  got: ' '");
  expect(with_length("{}\n", ""), "'}' and then spaces\n  got: '\\n'");
  expect(with_length("{ ", ""), "'}' and then spaces\n  got: '{'");
  expect(with_length("{}" + std::string(1, '\0'), ""), "'}' and then spaces");
  expect(with_length("{}}", ""), "(header):1:3: text after the JSON value");
  expect(with_length("{\"\xFF\":1}", ""), "(header):1:3: invalid UTF-8");
  expect(with_length(R"({"a":)" + std::string(100, '[') + "}", ""), "nested too deeply");
  expect(with_length("{}", "x"), "bytes after the last tensor\n  expected: 0 bytes");
  // Every truncation, and a byte too many.
  for (size_t size = 0; size < whole.size(); ++size) {
    ASSERT_TRUE(error_of_opening(whole.substr(0, size)).starts_with(path_)) << size;
  }
  expect(
      whole.substr(0, whole.size() - 1),
      "tensor 'b': the file ends inside its data\n  expected: 12 bytes of data\n  got: 11 bytes");
  expect(whole + "x", "bytes after the last tensor\n  expected: 12 bytes of data\n  got: 13 bytes");
}

struct Damage {
  std::string from, to;  // in kHeader
  std::string fragment;  // of the message
};

TEST_F(Safetensors, RefusesDamagedHeaders) {
  const std::string b = "tensor 'b'";
  const std::vector<Damage> cases = {
      {R"("b":)", R"("a":)", "(header):1:86: repeated JSON key 'a'"},
      {R"("I32")", R"("F64")", "expected: 8 bytes for [1,1] of F64\n  got: 4 bytes"},
      {R"("I32")", R"("F6_E2M3")", b + ": the tensor ends inside a byte\n  got: [1,1] of F6_E2M3"},
      {R"("I32")", R"("i32")", b + ": unknown dtype"},
      {R"("I32")", R"("")", b + ": unknown dtype"},
      {R"("I32")", "32",
       b + ", dtype: wrong kind of JSON value\n  expected: string\n  got: integer"},
      {"[1,1]", "[1,1.0]",
       b + ", shape: wrong kind of JSON value\n  expected: integer\n  got: float"},
      {"[1,1]", "[1,-1]", b + ", shape: size out of range\n  expected: 0 to 2^48\n  got: -1"},
      {"[1,1]", "[281474976710657]", b + ", shape: size out of range"},
      {"[1,1]", "[18446744073709551617]", b + ", shape: wrong kind of JSON value"},
      {"[1,1]", "1", b + ", shape: wrong kind of JSON value\n  expected: array"},
      {"[1,1]", R"(["1"])", b + ", shape: wrong kind of JSON value"},
      // 2^64 bytes, which would wrap to 0, and 2^64 + 4, which would wrap to the 4 there are.
      {"[1,1]", "[70368744177664,65536]", b + ": the shape is too large"},
      {"[1,1]", "[281474976710656,281474976710656,0]", b + ": the shape is too large"},
      {"[1,1]", "[5,5581,8681,49477,384773]", b + ": the shape is too large"},
      {"[1,1]", "[2]",
       b + ": the data does not have the size of the shape\n"
           "  expected: 8 bytes for [2] of I32\n  got: 4 bytes"},
      {"[1,1]", "[]", "no error"},
      {"[1,1]", "[0]", "expected: 0 bytes for [0] of I32\n  got: 4 bytes"},
      {"[8,12]", "[8]", b + ", data_offsets: wrong number of offsets"},
      {"[8,12]", "[8,12,16]", b + ", data_offsets: wrong number of offsets"},
      {"[8,12]", "[12,8]", b + ", data_offsets: the tensor ends before it begins"},
      {"[8,12]", "[8.0,12]", b + ", data_offsets: wrong kind of JSON value"},
      {"[8,12]", "[-4,0]", b + ", data_offsets: size out of range"},
      {"[8,12]", "[281474976710656,281474976710660]", b + ", data_offsets: size out of range"},
      {"[8,12]", "[4,8]",
       b + ": the tensor overlaps another\n"
           "  expected: data from byte 8\n  got: byte 4"},
      {"[8,12]", "[0,4]", "tensor 'a': the tensor overlaps another"},
      {"[8,12]", "[9,13]",
       b + ": unused bytes before the tensor\n"
           "  expected: data from byte 8\n  got: byte 9"},
      {"[0,8]", "[1,9]",
       "tensor 'a': unused bytes before the tensor\n  expected: data from byte 0"},
      {R"("dtype":"I32",)", "", b + ": wrong keys in the header"},
      {R"("dtype":"I32",)", R"("dtype":"I32","x":0,)", b + ": wrong keys in the header"},
      {R"("shape":[1,1])", R"("Shape":[1,1])", b + ": wrong keys in the header"},
      {R"({"dtype":"I32","shape":[1,1],"data_offsets":[8,12]})", "[]",
       b + ": wrong kind of JSON value\n  expected: object\n  got: array"},
      {R"({"format":"pt"})", R"("pt")", "__metadata__: wrong kind of JSON value"},
      {R"({"format":"pt"})", R"({"format":1})", "__metadata__, 'format': wrong kind of JSON value"},
  };
  for (const Damage& damage : cases) {
    const std::string message =
        error_of_opening(with_length(replaced(kHeader, damage.from, damage.to), kTensorData));
    EXPECT_NE(message.find(damage.fragment), message.npos) << damage.to << "\n" << message;
    EXPECT_TRUE(message == "no error" || message.starts_with(path_)) << message;
  }
}

// A model's file may hold tensors that it does not need: they are listed, and refused when read.
TEST_F(Safetensors, ListsEveryDtypeAndReadsFloats) {
  const std::vector<std::pair<std::string, int>> bits = {
      {"BOOL", 8}, {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},
      {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8},     {"F8_E4M3FNUZ", 8},
      {"I16", 16}, {"U16", 16},    {"I32", 32},    {"F8_E5M2FNUZ", 8}, {"U32", 32},
      {"C64", 64}, {"F64", 64},    {"I64", 64},    {"U64", 64}};
  std::vector<float> values(4);
  for (const auto& [name, width] : bits) {
    const int bytes = 4 * width / 8;
    const SafetensorsFile file =
        open(with_length(R"({"x":{"dtype":")" + name + R"(","shape":[4],"data_offsets":[0,)" +
                             std::to_string(bytes) + "]}}",
                         std::string(static_cast<size_t>(bytes), '\1')));
    EXPECT_EQ(file.find("x")->dtype, name);
    EXPECT_EQ(file.find("x")->format, std::nullopt);
    const std::string message = error_of([&] { file.read("x", Tensor(values.data(), {4})); });
    EXPECT_EQ(
        message,
        path_ + ": tensor 'x': wrong dtype\n  expected: F32, F16, BF16 or Q8_0\n  got: " + name);
  }
}

// Widest first, then by name; each tensor is where its format has it aligned.
TEST_F(Safetensors, WritesEachTensorInItsFormat) {
  const float values[] = {1.0f, -2.0f, 0x1.0008p0f, 65519.0f, 0x1p-24f, 0x1.01p0f};
  const ConstTensor six(values, {2, 3});
  write_safetensors(path_, {{"a", six, NumberFormat::f16},
                            {"b", six, NumberFormat::bf16},
                            {"c", six},
                            {"A", six, NumberFormat::bf16}});
  const SafetensorsFile file(path_);
  std::string order;
  for (const StoredTensor& entry : file.entries()) order += entry.name + entry.dtype + " ";
  EXPECT_EQ(order, "cF32 ABF16 bBF16 aF16 ");
  EXPECT_EQ(read_all(file, *file.find("c")), std::vector<float>(values, values + 6));
  EXPECT_EQ(read_all(file, *file.find("a")),
            (std::vector<float>{1.0f, -2.0f, 1.0f, 65504.0f, 0x1p-24f, 0x1.01p0f}));
  // 1 + 2^-8 is halfway between two bfloat16, 65519 above a half.
  EXPECT_EQ(read_all(file, *file.find("b")),
            (std::vector<float>{1.0f, -2.0f, 1.0f, 65536.0f, 0x1p-24f, 1.0f}));
  EXPECT_EQ(file.find("b")->bytes, file.find("A")->bytes);
  EXPECT_THROW(write_safetensors(path_, {{"a", ConstTensor(values, {6}), NumberFormat::q8_0}}),
               Error);
}

// The last tensor begins beyond 4 GB of zeros that take no room on the disk.
TEST_F(Safetensors, ReadsBeyondFourGigabytes) {
  const std::string header =
      R"({"big":{"dtype":"F16","shape":[20000,131072],"data_offsets":[0,5242880000]},)"
      R"("last":{"dtype":"F32","shape":[2],"data_offsets":[5242880000,5242880008]}})";
  const uint64_t data = 8 + header.size(), size = data + 5242880008;
  write_quickly(path_, with_length(header, ""));
  std::filesystem::resize_file(path_, size);
  std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
  const auto put = [&](uint64_t offset, const std::string& bytes) {
    file.seekp(static_cast<std::streamoff>(offset));
    file << bytes;
  };
  put(data + 2 * (uint64_t{19999} * 131072 + 131071), raw<uint16_t>({0x3C00}));
  put(size - 8, raw({3.0f, 4.0f}));
  file.close();
  const SafetensorsFile opened(path_);
  EXPECT_EQ(read_all(opened, *opened.find("last")), (std::vector<float>{3.0f, 4.0f}));
  std::vector<float> row(131072);
  opened.find("big")->read_rows(19999, 1, row.data());
  EXPECT_EQ(row.front(), 0.0f);
  EXPECT_EQ(row.back(), 1.0f);
  std::filesystem::resize_file(path_, size - 1);
  EXPECT_THROW(SafetensorsFile{path_}, Error);
}

// Files written by the format's reference implementation.
TEST_F(Safetensors, OpensTheGoldenFiles) {
  const std::vector<std::string> paths = glob_files(CRIA_SOURCE_DIR "/tests/golden/*.safetensors");
  EXPECT_GE(paths.size(), 14u);
  for (const std::string& path : paths) {
    const SafetensorsFile file(path);
    EXPECT_FALSE(file.entries().empty()) << path;
    for (const StoredTensor& entry : file.entries()) {
      if (entry.dtype == "I32") continue;
      for (const float value : read_all(file, entry)) {
        ASSERT_TRUE(std::isfinite(value)) << path << " " << entry.name;
      }
    }
  }
  // The golden optimiser file begins with five steps of gradients, [5, 50].
  const SafetensorsFile adamw(CRIA_SOURCE_DIR "/tests/golden/adamw.safetensors");
  EXPECT_EQ(adamw.find("g")->shape, (std::vector<int64_t>{5, 50}));
  EXPECT_EQ(adamw.metadata().front(), (std::pair<std::string, std::string>("beta1", "0.9")));
}

// What parses can be read to the last byte; what does not is an Error. Half of the headers keep a
// true length, to damage what is behind that check.
TEST_F(Safetensors, DamagedFilesOpenOrThrow) {
  // Long names and metadata, as real files have, so that some damage is harmless.
  const std::string metadata =
      R"({"__metadata__":{"format":"pt","base_model":"a small one, and a longer description"},)";
  const std::vector<std::string> headers = {
      metadata + R"("model.layers.0.self_attn.q_proj.weight":)"
                 R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                 R"("model.layers.0.self_attn.k_proj.weight":)"
                 R"({"dtype":"I32","shape":[1,1],"data_offsets":[8,12]}}        )",
      metadata + R"("model.norm.weight":{"dtype":"F16","shape":[2,1],"data_offsets":[8,12]},)"
                 R"("model.norm.scale":{"dtype":"BF16","shape":[],"data_offsets":[0,2]},)"
                 R"("model.norm.bias":{"shape":[3],"dtype":"F16","data_offsets":[2,8]}}    )"};
  const std::vector<std::string> files = {with_length(headers[0], kTensorData),
                                          with_length(headers[1], kTensorData)};
  Rng rng(1, "safetensors");
  int opened = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string bytes =
        i % 4 == 0 ? mutated(files, rng) : with_length(mutated(headers, rng), kTensorData);
    write_quickly(path_, bytes);
    try {
      const SafetensorsFile file(path_);
      ++opened;
      uint64_t read = 0;
      for (const StoredTensor& entry : file.entries()) {
        read += entry.bytes.size();
        if (entry.dtype != "I32" && entry.shape.size() <= kMaxRank) read_all(file, entry);
      }
      ASSERT_LE(read, bytes.size());
    } catch (const Error& error) {
      ASSERT_TRUE(std::string(error.what()).starts_with(path_)) << bytes << "\n" << error.what();
    }
  }
  // Both outcomes must be common, or the test would show little.
  EXPECT_GT(opened, 1000);
  EXPECT_LT(opened, 19000);
}

}  // namespace
}  // namespace cria
