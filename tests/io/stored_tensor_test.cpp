#include "io/stored_tensor.h"

#include <gtest/gtest.h>

#include <numeric>

#include "cria/base/error.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

TEST(StoredTensor, RowsAreOfTheLastDimension) {
  EXPECT_EQ(row_count({2, 3, 5}), 6);
  EXPECT_EQ(row_size({2, 3, 5}), 5);
  EXPECT_EQ(row_count({7}), 1);
  EXPECT_EQ(row_size({7}), 7);
  EXPECT_EQ(row_count({}), 1);
  EXPECT_EQ(row_size({}), 1);
  EXPECT_EQ(row_count({0, 4}), 0);
  EXPECT_EQ(row_size({4, 0}), 0);
}

TEST(StoredTensor, ReadsTheRowsThatThereAre) {
  const std::vector<float> numbers = {0, 1, 2, 3, 4, 5};
  StoredTensor tensor{.name = "t",
                      .dtype = "F32",
                      .format = NumberFormat::f32,
                      .shape = {3, 2},
                      .bytes = {reinterpret_cast<const char*>(numbers.data()), 24},
                      .where = "f: tensor 't'"};
  std::vector<float> out(4, -1.0f);
  tensor.read_rows(1, 2, out.data());
  EXPECT_EQ(out, (std::vector<float>{2, 3, 4, 5}));
  tensor.read_rows(3, 0, nullptr);
  for (const auto& wrong : std::vector<std::pair<int64_t, int64_t>>{
           {2, 2}, {3, 1}, {4, 0}, {-1, 1}, {0, -1}, {1, INT64_MAX}}) {
    EXPECT_EQ(error_of([&] { tensor.read_rows(wrong.first, wrong.second, out.data()); }),
              "f: tensor 't': no such rows\n  expected: rows 0 to 3\n  got: " +
                  std::to_string(wrong.first) + " and " + std::to_string(wrong.second) +
                  " from there");
  }
}

// A large tensor is asked for in pieces of whole rows, each row once and in order.
TEST(TensorSource, IsWrittenInPieces) {
  const TemporaryDirectory directory;
  const std::string path = directory / "numbers";
  constexpr int64_t kRows = 2500, kSize = 1000;
  int64_t next = 0;
  int pieces = 0;
  const TensorSource source("t", {kRows, kSize}, NumberFormat::bf16,
                            [&](int64_t first, int64_t count, float* out) {
                              EXPECT_EQ(first, next);
                              next += count;
                              ++pieces;
                              for (int64_t i = 0; i < count * kSize; ++i) {
                                out[i] = static_cast<float>((first + i / kSize) % 256);
                              }
                            });
  AtomicFile file(path);
  source.write_to(file, path);
  file.commit();
  EXPECT_EQ(next, kRows);
  EXPECT_GT(pieces, 1);
  const std::string bytes = read_file(path);
  ASSERT_EQ(bytes.size(), source.bytes());
  std::vector<float> numbers(kRows * kSize);
  decode_numbers(NumberFormat::bf16, bytes.data(), kRows * kSize, numbers.data());
  for (int64_t i = 0; i < kRows * kSize; i += 499) {
    ASSERT_EQ(numbers[static_cast<size_t>(i)], static_cast<float>(i / kSize % 256)) << i;
  }
}

TEST(TensorSource, WritesNothingOfAnEmptyTensor) {
  const TemporaryDirectory directory;
  AtomicFile file(directory / "empty");
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{0, 4}, {4, 0}, {0}}) {
    const TensorSource source("t", shape, NumberFormat::f32, [](int64_t, int64_t, float*) {
      ADD_FAILURE() << "there is nothing to ask for";
    });
    EXPECT_EQ(source.bytes(), 0u);
    source.write_to(file, "empty");
  }
}

TEST(TensorSource, TakesNoStridedView) {
  const float values[4] = {};
  const ConstTensor square(values, {2, 2});
  EXPECT_EQ(error_of([&] { TensorSource("t", square.narrow(1, 0, 1)); }),
            "tensor 't': cannot write a strided view");
}

}  // namespace
}  // namespace cria
