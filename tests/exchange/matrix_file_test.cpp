#include "exchange/matrix_file.h"

#include <gtest/gtest.h>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "io/safetensors.h"
#include "support/files.h"

namespace cria {
namespace {

const float kMatrix[] = {1, 2, 3, 4, 5, 6};

class MatrixFile : public testing::Test {
 protected:
  std::string error_of(const std::string& source) const {
    try {
      read_matrix(source);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  void expect_matrix(const std::string& source, int64_t rows, int64_t columns,
                     const std::vector<float>& values) const {
    const Matrix matrix = read_matrix(source);
    EXPECT_EQ(matrix.rows, rows) << source;
    EXPECT_EQ(matrix.columns, columns) << source;
    EXPECT_EQ(matrix.values, values) << source;
  }

  TemporaryDirectory directory_;
  std::string safetensors_ = directory_ / "f.safetensors", npy_ = directory_ / "f.npy";
};

std::string npy_file(const std::string& shape) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }";
  header.resize(117, ' ');
  return std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header + "\n" +
         std::string(reinterpret_cast<const char*>(kMatrix), sizeof kMatrix);
}

TEST_F(MatrixFile, ReadsNpy) {
  write_file(npy_, npy_file("(2, 3)"));
  expect_matrix(npy_, 2, 3, {1, 2, 3, 4, 5, 6});
  write_file(npy_, npy_file("(6,)"));
  EXPECT_EQ(error_of(npy_), npy_ + ": not a matrix\n  expected: [rows, columns]\n  got: [6]");
}

TEST_F(MatrixFile, ReadsTheOnlyMatrix) {
  write_safetensors(safetensors_,
                    {{"bias", ConstTensor(kMatrix, {3})}, {"table", ConstTensor(kMatrix, {3, 2})}});
  expect_matrix(safetensors_, 3, 2, {1, 2, 3, 4, 5, 6});
  write_safetensors(safetensors_, {{"ids", ConstTensor(kMatrix + 2, {2, 2})},
                                   {"table", ConstTensor(kMatrix, {3, 2})}});
  std::string bytes = read_file(safetensors_);
  write_file(safetensors_, bytes.replace(bytes.find("F32"), 3, "I32"));
  expect_matrix(safetensors_, 3, 2, {1, 2, 3, 4, 5, 6});
  write_safetensors(safetensors_, {{"bias", ConstTensor(kMatrix, {3})}});
  EXPECT_EQ(error_of(safetensors_), safetensors_ +
                                        ": no matrix in this file\n"
                                        "  expected: one tensor of two dimensions, F32, F16 or "
                                        "BF16");
}

TEST_F(MatrixFile, ReadsTheOneThatIsNamed) {
  write_safetensors(safetensors_, {{"a", ConstTensor(kMatrix, {3, 2})},
                                   {"b:c", ConstTensor(kMatrix, {1, 4})},
                                   {"bias", ConstTensor(kMatrix, {3})},
                                   {"empty", ConstTensor(nullptr, {0, 2})}});
  expect_matrix(safetensors_ + ":a", 3, 2, {1, 2, 3, 4, 5, 6});
  expect_matrix(safetensors_ + ":b:c", 1, 4, {1, 2, 3, 4});
  expect_matrix(safetensors_ + ":empty", 0, 2, {});
  EXPECT_EQ(error_of(safetensors_), safetensors_ +
                                        ": more than one matrix in this file\n"
                                        "  expected: one tensor of two dimensions, F32, F16 or "
                                        "BF16\n  got: 'a', 'b:c', 'empty'\n  hint: name one: " +
                                        safetensors_ + ":TENSOR");
  EXPECT_EQ(
      error_of(safetensors_ + ":bias"),
      safetensors_ + ": tensor 'bias': not a matrix\n  expected: [rows, columns]\n  got: [3]");
  EXPECT_NE(error_of(safetensors_ + ":A").find("did you mean 'a'?"), std::string::npos);
  EXPECT_NE(error_of(safetensors_ + ":").find("no such tensor"), std::string::npos);
}

TEST_F(MatrixFile, NamesTheFirstFiveOfMany) {
  std::vector<TensorSource> many;
  for (const char* const name : {"a", "b", "c", "d", "e", "f", "g"}) {
    many.push_back({name, ConstTensor(kMatrix, {3, 2})});
  }
  write_safetensors(safetensors_, many);
  const std::string message = error_of(safetensors_);
  EXPECT_NE(message.find("\n  got: 'a', 'b', 'c', 'd', 'e' and 2 more\n"), message.npos) << message;
}

// Of the golden file's tensors, ids [2, 6] is a matrix too, but of integers.
TEST_F(MatrixFile, TakesNoIntegers) {
  const std::string golden = CRIA_SOURCE_DIR "/tests/golden/embedding.safetensors";
  EXPECT_EQ(read_matrix(golden + ":weight").rows, 11);
  EXPECT_NE(error_of(golden + ":ids").find("wrong dtype"), std::string::npos);
}

TEST_F(MatrixFile, RefusesOtherNames) {
  EXPECT_EQ(error_of("table.txt"),
            "table.txt: not the name of a matrix\n"
            "  expected: FILE.npy, FILE.safetensors or FILE.safetensors:TENSOR");
  EXPECT_NE(error_of("f.safetensors.bak").find("not the name of a matrix"), std::string::npos);
  EXPECT_NE(error_of(directory_ / "none.npy").find("none.npy"), std::string::npos);
}

}  // namespace
}  // namespace cria
