#include "io/npy.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "base/mutations.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "support/bytes.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

using Shape = std::vector<int64_t>;
using Floats = std::vector<float>;

// A file as NumPy writes it: the header padded with spaces to 64 bytes, ended by a line break.
std::string npy(std::string header, const std::string& data, int major = 1) {
  const size_t length_bytes = major == 1 ? 2 : 4, before = 8 + length_bytes;
  header.resize((before + header.size() + 64) / 64 * 64 - before - 1, ' ');
  header += '\n';
  return std::string("\x93NUMPY") + static_cast<char>(major) + '\0' +
         little_endian(header.size(), length_bytes) + header + data;
}

std::string header(const std::string& dtype, const std::string& shape,
                   const std::string& order = "False") {
  return "{'descr': '" + dtype + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
}

class Npy : public testing::Test {
 protected:
  NpyArray read(const std::string& bytes) const {
    write_quickly(path_, bytes);
    return read_npy(path_);
  }

  std::string error_of(const std::string& bytes) const {
    const std::string message = cria::error_of([&] { read(bytes); });
    return message.empty() ? "no error" : message;
  }

  void expect_error(const std::string& bytes, const std::string& fragment) const {
    const std::string message = error_of(bytes);
    EXPECT_TRUE(message.starts_with(path_)) << message;
    EXPECT_NE(message.find(fragment), message.npos) << fragment << " in " << message;
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_ / "f.npy";
};

const std::string kData = raw({1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f});

// The bytes of numpy.save for float32 (2, 3): 59 bytes of dict, data at 128.
TEST_F(Npy, ReadsWhatNumPyWrites) {
  const std::string dict = header("<f4", "(2, 3)");
  ASSERT_EQ(dict.size(), 59u);
  const std::string file = npy(dict, kData);
  ASSERT_EQ(file.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  ASSERT_EQ(file.size(), 128 + kData.size());
  const NpyArray array = read(file);
  EXPECT_EQ(array.shape, (Shape{2, 3}));
  EXPECT_EQ(array.values, (Floats{1, 2, 3, 4, 5, 6}));
}

TEST_F(Npy, ReadsEveryVersion) {
  for (const int major : {1, 2, 3}) {
    EXPECT_EQ(read(npy(header("<f4", "(6,)"), kData, major)).values, (Floats{1, 2, 3, 4, 5, 6}));
  }
}

// The last column of the first row is the fifth number of the file.
TEST_F(Npy, TransposesFortranOrder) {
  const NpyArray array = read(npy(header("<f4", "(2, 3)", "True"), kData));
  EXPECT_EQ(array.shape, (Shape{2, 3}));
  EXPECT_EQ(array.values, (Floats{1, 3, 5, 2, 4, 6}));
  EXPECT_EQ(read(npy(header("<f4", "(6,)", "True"), kData)).values, (Floats{1, 2, 3, 4, 5, 6}));
  expect_error(npy(header("<f4", "(2, 3, 1)", "True"), kData), "Fortran order");
}

TEST_F(Npy, ReadsEveryShape) {
  EXPECT_EQ(read(npy(header("<f4", "()"), raw({7.0f}))).values, Floats{7});
  EXPECT_EQ(read(npy(header("<f4", "()"), raw({7.0f}))).shape, Shape{});
  EXPECT_EQ(read(npy(header("<f4", "(1, 2, 3, 1, 1)"), kData)).shape, (Shape{1, 2, 3, 1, 1}));
  for (const char* order : {"False", "True"}) {
    const NpyArray empty = read(npy(header("<f4", "(0, 281474976710656)", order), ""));
    EXPECT_EQ(empty.shape, (Shape{0, int64_t{1} << 48}));
    EXPECT_TRUE(empty.values.empty());
  }
}

TEST_F(Npy, ReadsEveryWidthInBothOrders) {
  const Floats wanted = {1.5f, -2.0f};
  EXPECT_EQ(read(npy(header("<f2", "(2,)"), std::string("\x00\x3E\x00\xC0", 4))).values, wanted);
  EXPECT_EQ(read(npy(header(">f2", "(2,)"), std::string("\x3E\x00\xC0\x00", 4))).values, wanted);
  EXPECT_EQ(read(npy(header("<f4", "(2,)"), raw({1.5f, -2.0f}))).values, wanted);
  EXPECT_EQ(
      read(npy(header(">f4", "(2,)"), std::string("\x3F\xC0\x00\x00\xC0\x00\x00\x00", 8))).values,
      wanted);
  EXPECT_EQ(read(npy(header("<f8", "(2,)"), raw({1.5, -2.0}))).values, wanted);
  EXPECT_EQ(
      read(npy(header(">f8", "(2,)"),
               std::string("\x3F\xF8\x00\x00\x00\x00\x00\x00\xC0\x00\x00\x00\x00\x00\x00\x00", 16)))
          .values,
      wanted);
}

TEST_F(Npy, RoundsFloat64AndKeepsSpecialValues) {
  const Floats got =
      read(npy(header("<f8", "(5,)"), raw({0.1, 1e-60, -0.0, double{-INFINITY}, 3.4028235e38})))
          .values;
  EXPECT_EQ(got, (Floats{0.1f, 0.0f, 0.0f, -INFINITY, 3.4028235e38f}));
  EXPECT_TRUE(std::signbit(got[2]));
  EXPECT_TRUE(std::isnan(read(npy(header("<f8", "()"), raw({double{NAN}}))).values[0]));
  expect_error(npy(header("<f8", "(2,)"), raw({1.0, -1e39})), "too large for fp32\n  got: -1e+39");
  // The bits of an fp32, a NaN's payload too, are as they were.
  const uint32_t bits = std::bit_cast<uint32_t>(
      read(npy(header("<f4", "()"), little_endian(0xFFC12345u, 4))).values[0]);
  EXPECT_EQ(bits, 0xFFC12345u);
}

// What Python would read as the same dict.
TEST_F(Npy, ReadsOtherSpellings) {
  for (const std::string text :
       {R"({"descr": "<f4", "fortran_order": False, "shape": (2, 3)})",
        "{'shape':(2,3,),'fortran_order':False,'descr':'<f4'}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }",
        "{ 'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 2 , 3 , ) , }"}) {
    EXPECT_EQ(read(npy(text, kData)).shape, (Shape{2, 3})) << text;
  }
  // An older NumPy padded to 16 bytes; where the data begins is what the length says.
  const std::string tight = header("<f4", "(6,)") + "\n";
  EXPECT_EQ(
      read(std::string("\x93NUMPY\x01\x00", 8) + little_endian(tight.size(), 2) + tight + kData)
          .values,
      (Floats{1, 2, 3, 4, 5, 6}));
}

TEST_F(Npy, RefusesOtherTypes) {
  for (const std::string dtype : {"<i4", "|u1", "|b1", "<c8", "<U3", "=f4", "|f4", "f4", "<f16",
                                  "<f", "<", "", "<f4 ", "<f44", "<M8[ns]"}) {
    expect_error(npy(header(dtype, "(6,)"), kData),
                 "(header): unsupported dtype\n  expected: f2, f4 or f8");
  }
  expect_error(npy(header("|O", "(6,)"), kData), "object arrays are not read");
  expect_error(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,), }", kData),
               "structured arrays are not read");
}

TEST_F(Npy, RefusesDamagedFrames) {
  const std::string whole = npy(header("<f4", "(2, 3)"), kData);
  ASSERT_EQ(error_of(whole), "no error");
  for (size_t size = 0; size < whole.size(); ++size) {
    ASSERT_TRUE(error_of(whole.substr(0, size)).starts_with(path_)) << size;
  }
  expect_error("", "not a .npy file");
  expect_error("\x93NUMPX", "not a .npy file\n  expected: \\x93NUMPY at the beginning");
  expect_error("PK\x03\x04 an npz", "not a .npy file");
  expect_error(whole.substr(0, 7), "at least 8 bytes\n  got: 7");
  expect_error(whole.substr(0, 9), "at least 10 bytes\n  got: 9");
  expect_error(whole.substr(0, 100), "at least 128 bytes\n  got: 100");
  expect_error(whole.substr(0, 130), "expected: 24 bytes for [2, 3] of <f4\n  got: 2\n");
  expect_error(whole + "x", "expected: 24 bytes for [2, 3] of <f4\n  got: 25");
  for (const char* version : {"\x00\x00", "\x04\x00", "\x01\x01"}) {
    std::string other = whole;
    other.replace(6, 2, version, 2);
    expect_error(other, "unknown version\n  expected: 1.0, 2.0 or 3.0");
  }
  const std::string start("\x93NUMPY\x02\x00", 8);
  expect_error(start + little_endian(10001, 4), "at most 10000 bytes\n  got: 10001");
  expect_error(start + little_endian(0xFFFFFFFF, 4), "got: 4294967295");
  EXPECT_EQ(error_of(start + little_endian(10000, 4) + header("<f4", "(6,)") +
                     std::string(10000 - header("<f4", "(6,)").size() - 1, ' ') + "\n" + kData),
            "no error");
}

TEST_F(Npy, RefusesDamagedHeaders) {
  const std::string order = "'fortran_order': False", shape = "'shape': (6,)";
  const std::string dtype = "'descr': '<f4'";
  const auto dict = [](const std::string& a, const std::string& b, const std::string& c) {
    return npy("{" + a + ", " + b + ", " + c + ", }", kData);
  };
  ASSERT_EQ(error_of(dict(dtype, order, shape)), "no error");
  expect_error(npy("", kData), "expected: '{'");
  expect_error(npy("{}", kData), "a key is missing\n  expected: descr, fortran_order and shape");
  expect_error(npy("{" + dtype + ", " + order + "}", kData), "a key is missing");
  expect_error(dict(dtype, dtype, shape), "unknown or repeated key");
  expect_error(dict(dtype, order, "'shapes': (6,)"), "got: 'shapes'");
  expect_error(dict(dtype, order, shape + ", 'x': 1"), "got: 'x'");
  expect_error(dict("'descr': <f4", order, shape), "expected: a string\n  got: '<'");
  expect_error(dict("'descr': '<f4\"", order, shape), "expected: '}'\n  got: 'f'");
  expect_error(dict("'descr': '\\x3cf4'", order, shape), "a string without escapes");
  expect_error(dict(dtype, "'fortran_order': 0", shape), "expected: True or False\n  got: '0'");
  expect_error(dict(dtype, "'fortran_order': Falsey", shape), "expected: '}'\n  got: 'y'");
  expect_error(dict(dtype, order, "'shape': 6"), "expected: '('");
  expect_error(dict(dtype, order, "'shape': (6)"), "expected: ','");
  expect_error(dict(dtype, order, "'shape': (,)"), "expected: a size");
  expect_error(dict(dtype, order, "'shape': (-6,)"), "expected: a size\n  got: '-'");
  expect_error(dict(dtype, order, "'shape': (06,)"), "expected: a size");
  expect_error(dict(dtype, order, "'shape': (6.0,)"), "expected: ','\n  got: '.'");
  expect_error(dict(dtype, order, "'shape': (6,,)"), "expected: a size\n  got: ','");
  expect_error(dict(dtype, order, "'shape': (2, 3"), "expected: a size\n  got: '}'");
  expect_error(dict(dtype, order, "'shape': (281474976710657,)"), "size out of range");
  expect_error(dict(dtype, order, "'shape': (18446744073709551617,)"), "size out of range");
  expect_error(dict(dtype, order, "'shape': (281474976710656, 65536)"), "the shape is too large");
  expect_error(npy(header("<f4", "(6,)") + "}", kData), "spaces and a line break to the end");
  const std::string unended = header("<f4", "(6,)") + " ";
  expect_error(
      std::string("\x93NUMPY\x01\x00", 8) + little_endian(unended.size(), 2) + unended + kData,
      "spaces and a line break to the end");
}

// numpy.save's bytes for arange(6, dtype=float32).reshape(2, 3).
TEST_F(Npy, WritesWhatNumPyWrites) {
  const std::string path = directory_ / "w.npy";
  write_npy(path, {2, 3}, Floats{1, 2, 3, 4, 5, 6});
  EXPECT_EQ(read_file(path), npy(header("<f4", "(2, 3)"), kData));
}

TEST_F(Npy, ReadsWhatItWrites) {
  const std::string path = directory_ / "w.npy";
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{0}, Shape{3, 0, 7}, Shape{2, 2, 1, 3, 1}}) {
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    Floats values;
    for (int64_t i = 0; i < count; ++i) values.push_back(0.1f * static_cast<float>(i));
    write_npy(path, shape, values);
    EXPECT_EQ(read_npy(path).shape, shape);
    EXPECT_EQ(read_npy(path).values, values);
    // Where the data begins: on a multiple of 64, as mapped arrays want it.
    EXPECT_EQ((std::filesystem::file_size(path) - 4 * values.size()) % 64, 0u);
  }
}

TEST_F(Npy, RefusesToWriteAnotherNumberOfValues) {
  for (const Shape& shape : {Shape{5}, Shape{2, 2}, Shape{-2, -3}, Shape{}}) {
    EXPECT_NE(cria::error_of([&] {
                write_npy(directory_ / "w.npy", shape, Floats(6));
              }).find("not as many as the shape says"),
              std::string::npos);
  }
  const Shape many(4000, 1);
  EXPECT_NE(
      cria::error_of([&] { write_npy(directory_ / "w.npy", many, Floats(1)); }).find("dimensions"),
      std::string::npos);
  EXPECT_TRUE(directory_.names().empty());
}

// What reads has as many values as its shape says; what does not is an Error that names the file.
TEST_F(Npy, DamagedFilesReadOrThrow) {
  // Padded well, so that some damage is harmless.
  const std::string end = std::string(120, ' ') + "\n";
  const std::vector<std::string> headers = {header("<f4", "(2, 3)") + end,
                                            header(">f4", "(6,)", "True") + end,
                                            header("<f8", "(3, 1)") + end};
  std::vector<std::string> files;
  for (const std::string& text : headers) files.push_back(npy(text, kData));
  Rng rng(1, "npy");
  int read_whole = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string bytes;
    if (i % 4 == 0) {
      bytes = mutated(files, rng);
    } else {
      const std::string text = mutated(headers, rng);
      bytes = std::string("\x93NUMPY\x01\x00", 8) + little_endian(text.size(), 2) + text + kData;
    }
    try {
      const NpyArray array = read(bytes);
      ++read_whole;
      int64_t count = 1;
      for (const int64_t dimension : array.shape) count *= dimension;
      ASSERT_EQ(static_cast<int64_t>(array.values.size()), count);
      ASSERT_LE(array.values.size(), bytes.size());
    } catch (const Error& error) {
      ASSERT_TRUE(std::string(error.what()).starts_with(path_)) << bytes << "\n" << error.what();
    }
  }
  // Both outcomes must be common, or the test would show little.
  EXPECT_GT(read_whole, 500);
  EXPECT_LT(read_whole, 19500);
}

}  // namespace
}  // namespace cria
