#include "io/gguf.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/mutations.h"
#include "cria/base/error.h"
#include "cria/base/rng.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

// The bytes that pairs of digits name; spaces between them mean nothing.
std::string hex(std::string_view text) {
  std::string bytes;
  int digits = 0, value = 0;
  for (const char c : text) {
    if (c == ' ') continue;
    value = value * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
    if (++digits % 2 != 0) continue;
    bytes += static_cast<char>(value);
    value = 0;
  }
  return bytes;
}

template <class Number>
std::string raw_number(Number number) {
  return {reinterpret_cast<const char*>(&number), sizeof number};
}

std::string text(const std::string& content) {
  return raw_number(uint64_t{content.size()}) + content;
}

std::string dump(const std::string& bytes) {
  std::string out;
  for (const char byte : bytes) {
    for (const int shift : {4, 0}) out += "0123456789abcdef"[byte >> shift & 15];
  }
  return out;
}

// An architecture, an empty array of strings, and a matrix of 2 rows of 3.
const std::string kPairs = hex("1400000000000000") + "general.architecture" +
                           hex("08000000 0500000000000000") + "llama" + hex("0500000000000000") +
                           "a.arr" + hex("09000000 08000000 0000000000000000");
const std::string kTensor = hex("0100000000000000") + "t" +
                            hex("02000000 0300000000000000 0200000000000000 00000000"
                                " 0000000000000000");
const std::string kGolden = hex("47475546 03000000 0100000000000000 0200000000000000") + kPairs +
                            kTensor + std::string(21, '\0') +
                            hex("00000000 0000803f 00000040 00004040 00008040 0000a040");
const float kSix[] = {0, 1, 2, 3, 4, 5};

std::vector<float> read_all(const StoredTensor& tensor) {
  const int64_t rows = row_count(tensor.shape);
  std::vector<float> values(static_cast<size_t>(rows * row_size(tensor.shape)));
  tensor.read_rows(0, rows, values.data());
  return values;
}

class Gguf : public testing::Test {
 protected:
  GgufFile open(const std::string& bytes) const {
    write_quickly(path_, bytes);
    return GgufFile(path_);
  }

  // A file of these metadata pairs and tensors, with what follows the padding.
  static std::string file_of(const std::vector<std::string>& pairs,
                             const std::vector<std::string>& tensors, const std::string& data = "",
                             uint64_t alignment = 32) {
    std::string bytes = hex("47475546 03000000") + raw_number(uint64_t{tensors.size()}) +
                        raw_number(uint64_t{pairs.size()});
    for (const std::string& pair : pairs) bytes += pair;
    for (const std::string& tensor : tensors) bytes += tensor;
    while (bytes.size() % alignment != 0) bytes += '\0';
    return bytes + data;
  }

  static std::string tensor(const std::string& name, const std::vector<uint64_t>& dimensions,
                            uint32_t type, uint64_t offset) {
    std::string bytes = text(name) + raw_number(static_cast<uint32_t>(dimensions.size()));
    for (const uint64_t dimension : dimensions) bytes += raw_number(dimension);
    return bytes + raw_number(type) + raw_number(offset);
  }

  void expect_error(const std::string& bytes, const std::string& fragment) const {
    const std::string message = error_of([&] { open(bytes); });
    EXPECT_TRUE(message.starts_with(path_)) << "'" << message << "', expected " << fragment;
    EXPECT_NE(message.find(fragment), message.npos) << fragment << " in " << message;
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_ / "f.gguf";
};

TEST_F(Gguf, WritesTheGoldenBytes) {
  write_gguf(path_,
             {{"general.architecture", std::string("llama")},
              {"a.arr", GgufArray(std::vector<std::string>{})}},
             {{"t", ConstTensor(kSix, {2, 3})}});
  EXPECT_EQ(dump(read_file(path_)), dump(kGolden + std::string(8, '\0')));
  EXPECT_EQ(directory_.names(), std::vector<std::string>{"f.gguf"});
}

TEST_F(Gguf, ReadsTheGoldenBytes) {
  ASSERT_EQ(kGolden.size(), 184u);
  std::string second_version = kGolden;
  second_version[4] = 2;
  // The last tensor comes without its padding, and with it.
  for (const std::string& bytes : {kGolden, kGolden + std::string(8, '\0'), second_version}) {
    const GgufFile file = open(bytes);
    EXPECT_EQ(file.text("general.architecture"), "llama");
    EXPECT_TRUE(file.texts("a.arr").empty());
    EXPECT_EQ(file.metadata().front().first, "general.architecture");
    ASSERT_EQ(file.entries().size(), 1u);
    const StoredTensor& tensor = *file.find("t");
    EXPECT_EQ(tensor.shape, (std::vector<int64_t>{2, 3}));
    EXPECT_EQ(tensor.dtype, "F32");
    EXPECT_EQ(tensor.where, path_ + ": tensor 't'");
    EXPECT_EQ(read_all(tensor), std::vector<float>(kSix, kSix + 6));
    EXPECT_EQ(file.find("T"), nullptr);
  }
}

// A function: g++ would try to make a constant of it, for minutes.
GgufMetadata every_type() {
  return {{"u8", uint8_t{200}},
          {"i8", int8_t{-100}},
          {"u16", uint16_t{60000}},
          {"i16", int16_t{-30000}},
          {"u32", uint32_t{4000000000}},
          {"i32", int32_t{-2000000000}},
          {"f32", 0.1f},
          {"true", true},
          {"false", false},
          {"string", std::string("a \"quoted\" \0 text", 17)},
          {"u64", uint64_t{1} << 63},
          {"i64", int64_t{-1} << 62},
          {"f64", 0.1},
          {"u8s", GgufArray(std::vector<uint8_t>{1, 255})},
          {"i8s", GgufArray(std::vector<int8_t>{1, -1})},
          {"u16s", GgufArray(std::vector<uint16_t>{1, 65535})},
          {"i16s", GgufArray(std::vector<int16_t>{1, -1})},
          {"u32s", GgufArray(std::vector<uint32_t>{1, 4294967295})},
          {"i32s", GgufArray(std::vector<int32_t>{1, -1})},
          {"f32s", GgufArray(std::vector<float>{0.5f, -0.0f})},
          {"bools", GgufArray(std::vector<bool>{true, false, true})},
          {"strings", GgufArray(std::vector<std::string>{"", "é", "\xFF"})},
          {"u64s", GgufArray(std::vector<uint64_t>{1, uint64_t{1} << 62})},
          {"i64s", GgufArray(std::vector<int64_t>{1, -1})},
          {"f64s", GgufArray(std::vector<double>{0.1, 1e300})}};
}

TEST_F(Gguf, KeepsEveryTypeOfValue) {
  const GgufMetadata metadata = every_type();
  write_gguf(path_, metadata, {});
  const GgufFile file(path_);
  ASSERT_EQ(file.metadata().size(), metadata.size());
  for (size_t i = 0; i < metadata.size(); ++i) {
    EXPECT_TRUE(file.metadata()[i] == metadata[i]) << metadata[i].first;
  }
  // Any integer is an integer.
  EXPECT_EQ(file.integer("u8"), 200);
  EXPECT_EQ(file.integer("i8"), -100);
  EXPECT_EQ(file.integer("u16"), 60000);
  EXPECT_EQ(file.integer("i16"), -30000);
  EXPECT_EQ(file.integer("u32"), 4000000000);
  EXPECT_EQ(file.integer("i32"), -2000000000);
  EXPECT_EQ(file.integer("i64"), int64_t{-1} << 62);
  for (const char* const key : {"u8s", "i8s", "u16s", "i16s", "u32s", "i32s", "u64s", "i64s"}) {
    const std::vector<int64_t> integers = file.integers(key);
    ASSERT_EQ(integers.size(), 2u) << key;
    EXPECT_EQ(integers[0], 1) << key;
  }
  EXPECT_EQ(file.integers("i16s")[1], -1);
  EXPECT_EQ(file.integers("u32s")[1], 4294967295);
  EXPECT_EQ(file.real("f32"), double{0.1f});
  EXPECT_EQ(file.real("f64"), 0.1);
  EXPECT_EQ(file.reals("f32s"), (std::vector<double>{0.5, 0.0}));
  EXPECT_EQ(file.reals("f64s"), (std::vector<double>{0.1, 1e300}));
  EXPECT_TRUE(file.flag("true"));
  EXPECT_FALSE(file.flag("false"));
  EXPECT_EQ(file.texts("strings")[1], "é");
}

TEST_F(Gguf, WrongKindsNameKeyAndBothKinds) {
  write_gguf(path_, every_type(), {});
  const GgufFile file(path_);
  const auto expect = [&](const std::string& message, const std::string& wanted) {
    EXPECT_EQ(message, path_ + ": " + wanted);
  };
  expect(error_of([&] { file.integer("f32"); }),
         "f32: wrong type of value\n  expected: an integer\n  got: f32");
  expect(error_of([&] { file.integer("true"); }),
         "true: wrong type of value\n  expected: an integer\n  got: bool");
  expect(error_of([&] { file.integer("u64"); }),
         "u64: integer out of range\n  expected: at most 2^63 - 1\n  got: 9223372036854775808");
  expect(error_of([&] { file.real("u8"); }),
         "u8: wrong type of value\n  expected: f32 or f64\n  got: u8");
  expect(error_of([&] { file.flag("u8"); }),
         "u8: wrong type of value\n  expected: bool\n  got: u8");
  expect(error_of([&] { file.text("strings"); }),
         "strings: wrong type of value\n  expected: string\n  got: array of string");
  expect(error_of([&] { file.texts("string"); }),
         "string: wrong type of value\n  expected: array of string\n  got: string");
  expect(error_of([&] { file.integers("f32s"); }),
         "f32s: wrong type of value\n  expected: array of integers\n  got: array of f32");
  expect(error_of([&] { file.reals("i8s"); }),
         "i8s: wrong type of value\n  expected: array of f32 or f64\n  got: array of i8");
  expect(error_of([&] { file.text("other"); }).substr(0, path_.size() + 13), "missing key");
  EXPECT_TRUE(file.has("u8"));
  EXPECT_FALSE(file.has("other"));
}

// Each tensor is padded, from the first to the last, and read back as its format has it.
TEST_F(Gguf, KeepsTensorsOfEveryFormat) {
  std::vector<float> values(3 * 64);
  fill_normal(values.data(), 0, values.size(), 1.0, 1, "gguf");
  std::vector<TensorSource> sources;
  for (const NumberFormat format :
       {NumberFormat::f32, NumberFormat::f16, NumberFormat::bf16, NumberFormat::q8_0}) {
    sources.emplace_back(format_name(format), ConstTensor(values.data(), {3, 64}), format);
  }
  sources.emplace_back("five", ConstTensor(values.data(), {1, 1, 5, 1}), NumberFormat::f16);
  write_gguf(path_, {}, sources);
  const GgufFile file(path_);
  ASSERT_EQ(file.entries().size(), sources.size());
  for (size_t i = 0; i < sources.size(); ++i) {
    const StoredTensor& tensor = file.entries()[i];
    EXPECT_EQ(tensor.name, sources[i].name);
    EXPECT_EQ(tensor.format, sources[i].format);
    EXPECT_EQ(tensor.shape, sources[i].shape);
    const size_t count = tensor.name == "five" ? 5 : values.size();
    std::vector<float> expected(count);
    std::string bytes(encoded_bytes(sources[i].format, static_cast<int64_t>(count)), '\0');
    encode_numbers(sources[i].format, values.data(), static_cast<int64_t>(count), bytes.data(), "");
    decode_numbers(sources[i].format, bytes.data(), static_cast<int64_t>(count), expected.data());
    EXPECT_EQ(tensor.bytes, bytes);
    EXPECT_EQ(read_all(tensor), expected);
  }
  std::vector<float> row(64);
  file.find("Q8_0")->read_rows(2, 1, row.data());
  const std::vector<float> all = read_all(*file.find("Q8_0"));
  EXPECT_TRUE(std::equal(row.begin(), row.end(), all.begin() + 128));
  EXPECT_EQ(std::filesystem::file_size(path_) % 32, 0u);
  // 10 bytes of the last tensor.
  EXPECT_EQ(read_file(path_).substr(std::filesystem::file_size(path_) - 22), std::string(22, '\0'));
}

TEST_F(Gguf, WriterRefusesWhatGgmlCannotRead) {
  const ConstTensor six(kSix, {2, 3});
  const auto message = [&](const GgufMetadata& metadata, std::vector<TensorSource> tensors) {
    return error_of([&] { write_gguf(path_, metadata, tensors); });
  };
  const auto expect = [](const std::string& got, const std::string& fragment) {
    EXPECT_NE(got.find(fragment), got.npos) << got;
  };
  expect(message({{"a", true}, {"a", true}}, {}), "keys are unique");
  expect(message({{"", true}}, {}), "keys are unique");
  expect(message({{std::string(65536, 'a'), true}}, {}), "keys are unique");
  expect(message({{"general.alignment", uint32_t{64}}}, {}), "only one alignment");
  expect(message({{"a", GgufArray(std::monostate())}}, {}), "array of arrays");
  expect(message({}, {{"t", six}, {"t", six}}), "tensor 't': names are unique");
  expect(message({}, {{std::string(64, 't'), six}}), "1 to 63 bytes");
  expect(message({}, {{"t", ConstTensor(kSix, {})}}), "one to four dimensions");
  expect(message({}, {{"t", ConstTensor(kSix, {2, 0})}}), "got: [2, 0]");
  expect(message({}, {{"t", six, NumberFormat::q8_0}}), "a multiple of 32 for Q8_0\n  got: [2, 3]");
  EXPECT_TRUE(directory_.names().empty());
  EXPECT_EQ(message({{"general.alignment", uint32_t{32}}, {std::string(65535, 'a'), true}},
                    {{std::string(63, 't'), six}}),
            "");
}

TEST_F(Gguf, RefusesDamagedFrames) {
  expect_error("", "not a GGUF file");
  expect_error("GGML" + kGolden.substr(4), "not a GGUF file\n  expected: GGUF at the beginning");
  const auto with_version = [&](const char* version) {
    return "GGUF" + hex(version) + kGolden.substr(8);
  };
  expect_error(with_version("00000003"), "a big-endian GGUF file");
  expect_error(with_version("00000000"), "unknown version of GGUF");
  expect_error(with_version("01000000"), "of version 1, whose counts have 32 bits");
  expect_error(with_version("04000000"), "unknown version of GGUF");
  // Every truncation.
  for (size_t size = 0; size < kGolden.size(); ++size) {
    expect_error(kGolden.substr(0, size), "");
  }
  // Counts that the file cannot hold, up to those that would wrap.
  const std::string start = kGolden.substr(0, 8), rest = kPairs + kTensor;
  for (const uint64_t count : {uint64_t{4}, uint64_t{1} << 32, UINT64_MAX / 33 + 1, UINT64_MAX}) {
    expect_error(start + raw_number(count) + raw_number(uint64_t{2}) + rest,
                 "impossible number of tensors");
  }
  for (const uint64_t count : {uint64_t{10}, UINT64_MAX / 14 + 1, UINT64_MAX}) {
    expect_error(start + raw_number(uint64_t{1}) + raw_number(count) + rest,
                 "impossible number of keys");
  }
}

TEST_F(Gguf, RefusesDamagedMetadata) {
  // Bytes behind each pair, so that nothing fails for being the last.
  const auto expect = [&](const std::string& pair, const std::string& fragment) {
    expect_error(file_of({pair}, {}, std::string(64, '\0')), fragment);
  };
  const auto type = [](uint32_t number) { return raw_number(number); };
  expect(text("") + type(0), "impossible length of a key\n  expected: 1 to 65535\n  got: 0");
  expect(raw_number(uint64_t{65536}), "impossible length of a key");
  expect(raw_number(uint64_t{65535}), "65535 bytes of a key");
  expect(text("a") + type(13), "at byte 33: unknown type of value\n  expected: 0 to 12\n  got: 13");
  expect(text("a") + type(UINT32_MAX), "unknown type of value");
  expect(text("a") + type(7) + hex("02"), "not a bool\n  expected: 0 or 1\n  got: 2");
  expect(text("a") + type(8) + raw_number(uint64_t{1000}), "1000 bytes of a string");
  expect(text("a") + type(8) + raw_number(UINT64_MAX), "impossible length of a string");
  expect(text("a") + type(9) + type(13), "unknown type of value");
  expect(text("a") + type(9) + type(9), "arrays of arrays are not read");
  expect(text("a") + type(9) + type(0) + raw_number(uint64_t{1000}),
         "impossible length of an array");
  expect(text("a") + type(9) + type(4) + raw_number(uint64_t{1} << 62),
         "impossible length of an array");
  expect(text("a") + type(9) + type(8) + raw_number(uint64_t{12}), "impossible length of an array");
  expect(text("a") + type(9) + type(8) + raw_number(uint64_t{1}) + raw_number(uint64_t{900}),
         "of a string");
  expect(text("a") + type(9) + type(7) + raw_number(uint64_t{2}) + hex("0103"), "not a bool");
  const std::string good = text("a") + type(7) + hex("01");
  expect_error(file_of({good, good}, {}), "repeated key\n  got: 'a'");
  EXPECT_TRUE(open(file_of({good}, {})).flag("a"));
}

// A string of more than 1 GiB in a file that is long enough, but takes no room on the disk.
TEST_F(Gguf, RefusesAStringBeyondTheLimit) {
  const uint64_t length = (uint64_t{1} << 30) + 1;
  write_quickly(path_, file_of({text("a") + raw_number(uint32_t{8}) + raw_number(length)}, {}));
  std::filesystem::resize_file(path_, length + 1000);
  EXPECT_NE(error_of([&] { GgufFile{path_}; }).find("impossible length of a string"),
            std::string::npos);
}

TEST_F(Gguf, RefusesDamagedTensors) {
  const std::string data(256, '\0');
  const auto expect = [&](const std::vector<std::string>& tensors, const std::string& fragment) {
    expect_error(file_of({}, tensors, data), fragment);
  };
  expect({tensor("", {1}, 0, 0)}, "impossible length of the name of a tensor");
  expect({tensor(std::string(65, 't'), {1}, 0, 0)}, "1 to 64\n  got: 65");
  expect({tensor("t", {1}, 0, 0), tensor("t", {1}, 0, 32)}, "tensor 't': repeated tensor");
  expect({tensor("t", {}, 0, 0) + data},
         "wrong number of dimensions\n  expected: 1 to 4\n  got: 0");
  expect({tensor("t", {1, 1, 1, 1, 1}, 0, 0)}, "wrong number of dimensions");
  expect({tensor("t", {3, 0}, 0, 0)}, "size out of range\n  expected: 1 to 2^48\n  got: 0");
  expect({tensor("t", {UINT64_MAX}, 0, 0)}, "size out of range");
  const uint64_t large = uint64_t{1} << 32;
  expect({tensor("t", {large, large}, 0, 0)}, "the shape is too large");
  expect({tensor("t", {large, large, large, large}, 0, 0)}, "the shape is too large");
  expect({tensor("t", {uint64_t{1} << 48}, 0, 0)}, "the tensor ends beyond the file");
  expect({tensor("t", {1}, 99, 0)}, "unknown type of numbers");
  expect({tensor("t", {1}, 4, 0)}, "unknown type of numbers");
  expect({tensor("t", {33}, 8, 0)}, "rows that are not whole blocks\n  expected: a multiple of 32");
  expect({tensor("t", {32}, 12, 0)}, "a multiple of 256 for Q4_K");
  expect({tensor("t", {1}, 0, 4)}, "not aligned\n  expected: an offset that is a multiple of 32");
  expect({tensor("t", {1}, 0, 256)}, "the tensor ends beyond the file");
  expect({tensor("t", {1}, 0, UINT64_MAX - 31)}, "the tensor ends beyond the file");
  expect({tensor("t", {65}, 0, 0)}, "260 bytes from byte 0 of the data\n  got: 256 bytes of data");
  expect({tensor("t", {64}, 0, 0), tensor("u", {1}, 0, 224)}, "tensor 'u': the tensor overlaps");
  expect({tensor("t", {1}, 0, 32), tensor("u", {9}, 0, 0)}, "tensor 't': the tensor overlaps");
  // Tensors may come in any order, and with a gap.
  const GgufFile file = open(file_of({}, {tensor("t", {1}, 0, 224), tensor("u", {8}, 0, 0)}, data));
  EXPECT_EQ(file.find("u")->bytes.size(), 32u);
}

TEST_F(Gguf, HonoursTheAlignment) {
  const auto with_alignment = [&](const std::string& value, uint64_t alignment) {
    return file_of({text("general.alignment") + value}, {tensor("t", {1}, 0, 0)}, raw_number(1.5f),
                   alignment);
  };
  for (const uint32_t alignment : {1u, 8u, 64u, 4096u}) {
    const GgufFile file =
        open(with_alignment(raw_number(uint32_t{4}) + raw_number(alignment), alignment));
    EXPECT_EQ(read_all(file.entries().front()), std::vector<float>{1.5f}) << alignment;
  }
  for (const uint32_t alignment : {0u, 24u, UINT32_MAX}) {
    expect_error(with_alignment(raw_number(uint32_t{4}) + raw_number(alignment), 32),
                 "impossible alignment");
  }
  expect_error(with_alignment(raw_number(uint32_t{5}) + raw_number(int32_t{-32}), 32),
               "impossible alignment");
  expect_error(with_alignment(raw_number(uint32_t{10}) + raw_number(uint64_t{1} << 63), 32),
               "general.alignment: integer out of range");
  expect_error(with_alignment(raw_number(uint32_t{8}) + text("32"), 32),
               "general.alignment: wrong type of value");
}

// Listed, so that a whole file can be looked at; refused by name when read.
TEST_F(Gguf, RefusesToReadOtherTypesByName) {
  const std::vector<std::tuple<uint32_t, std::string, uint64_t>> types = {
      {2, "Q4_0", 18 * 8},  {3, "Q4_1", 20 * 8},    {6, "Q5_0", 22 * 8},  {7, "Q5_1", 24 * 8},
      {10, "Q2_K", 84},     {11, "Q3_K", 110},      {12, "Q4_K", 144},    {13, "Q5_K", 176},
      {14, "Q6_K", 210},    {20, "IQ4_NL", 18 * 8}, {23, "IQ4_XS", 136},  {24, "I8", 256},
      {25, "I16", 256 * 2}, {26, "I32", 256 * 4},   {27, "I64", 256 * 8}, {28, "F64", 256 * 8},
      {39, "MXFP4", 17 * 8}};
  for (const auto& [number, name, bytes] : types) {
    const GgufFile file =
        open(file_of({}, {tensor("t", {256}, number, 0)}, std::string(bytes, '\0')));
    const StoredTensor& tensor = file.entries().front();
    EXPECT_EQ(tensor.dtype, name);
    EXPECT_EQ(tensor.bytes.size(), bytes);
    std::vector<float> values(256);
    EXPECT_EQ(
        error_of([&] { tensor.read_rows(0, 1, values.data()); }),
        path_ + ": tensor 't': wrong dtype\n  expected: F32, F16, BF16 or Q8_0\n  got: " + name);
  }
}

// The second tensor begins beyond 4 GB of zeros that take no room on the disk.
TEST_F(Gguf, ReadsBeyondFourGigabytes) {
  const uint64_t big = uint64_t{5} << 30;
  write_quickly(path_, file_of({}, {tensor("big", {big / 2, 1}, 1, 0), tensor("t", {1}, 0, big)}));
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) + big);
  std::ofstream(path_, std::ios::binary | std::ios::app) << raw_number(2.5f);
  const GgufFile file(path_);
  EXPECT_EQ(read_all(*file.find("t")), std::vector<float>{2.5f});
  EXPECT_EQ(file.find("big")->bytes.size(), big);
}

// One to three numbers of one, four or eight bytes become others that parsers stumble over.
std::string with_other_numbers(std::string bytes, Rng& rng) {
  for (uint64_t edits = 1 + rng.below(3); edits > 0; --edits) {
    const size_t width = size_t{1} << (rng.below(2) + 2) * rng.below(2);
    const size_t at = rng.below(bytes.size() - width);
    const uint64_t values[] = {rng.below(64), rng.next(), UINT64_MAX - rng.below(64),
                               uint64_t{1} << rng.below(64)};
    const uint64_t value = values[rng.below(4)];
    std::memcpy(bytes.data() + at, &value, width);
  }
  return bytes;
}

// What opens can be read to the last byte; what does not is an Error.
TEST_F(Gguf, DamagedFilesOpenOrThrow) {
  std::vector<float> values(64, 0.5f);
  write_gguf(path_, every_type(),
             {{"blk.0.ffn_norm.weight", ConstTensor(values.data(), {64})},
              {"token_embd.weight", ConstTensor(values.data(), {2, 32}), NumberFormat::q8_0},
              {"output.weight", ConstTensor(values.data(), {4, 8, 2}), NumberFormat::bf16}});
  const std::vector<std::string> files = {read_file(path_), kGolden};
  Rng rng(1, "gguf");
  int opened = 0;
  for (int i = 0; i < 8000; ++i) {
    const std::string bytes =
        i % 4 == 0 ? mutated(files, rng) : with_other_numbers(files[rng.below(2)], rng);
    write_quickly(path_, bytes);
    try {
      const GgufFile file(path_);
      ++opened;
      for (const auto& pair : file.metadata()) {
        error_of([&] { file.integer(pair.first); });
        error_of([&] { file.texts(pair.first); });
      }
      uint64_t read = 0;
      for (const StoredTensor& entry : file.entries()) {
        read += entry.bytes.size();
        if (entry.format) read_all(entry);
      }
      ASSERT_LE(read, bytes.size());
    } catch (const Error& error) {
      ASSERT_TRUE(std::string(error.what()).starts_with(path_)) << error.what();
    }
  }
  // Both outcomes must be common, or the test would show little.
  EXPECT_GT(opened, 500);
  EXPECT_LT(opened, 7500);
}

}  // namespace
}  // namespace cria
