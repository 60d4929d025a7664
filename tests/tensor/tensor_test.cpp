#include "cria/tensor/tensor.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <type_traits>
#include <vector>

#include "support/errors.h"

namespace cria {
namespace {

std::vector<float> counting(int64_t count) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), 0.0f);
  return values;
}

TEST(Tensor, IsRowMajor) {
  std::vector<float> values = counting(24);
  const Tensor tensor(values.data(), {2, 3, 4});
  EXPECT_EQ(tensor.rank, 3);
  EXPECT_EQ(tensor.size(), 24);
  EXPECT_EQ(tensor.rows(), 6);
  EXPECT_EQ(tensor.columns(), 4);
  EXPECT_EQ(tensor(0, 0, 0), 0.0f);
  EXPECT_EQ(tensor(1, 2, 3), 23.0f);
  EXPECT_EQ(tensor(1, 0, 2), 14.0f);
  EXPECT_EQ(tensor(1), 12.0f);  // missing indices are zero
  EXPECT_TRUE(tensor.is_contiguous());
  EXPECT_EQ(tensor.to_string(), "[2, 3, 4]");
}

TEST(Tensor, EmptyAndScalar) {
  const Tensor nothing;
  EXPECT_FALSE(nothing);
  EXPECT_EQ(nothing.to_string(), "[]");
  const Tensor no_rows(nullptr, {0, 5}), no_columns(nullptr, {5, 0});
  EXPECT_EQ(no_rows.size(), 0);
  EXPECT_EQ(no_rows.rows(), 0);
  EXPECT_EQ(no_columns.rows(), 0);
}

TEST(Tensor, ViewsShareTheElements) {
  std::vector<float> values = counting(6);
  const Tensor tensor(values.data(), {2, 3});
  const ConstTensor reader = tensor;
  tensor(1, 1) = 40.0f;
  EXPECT_EQ(values[4], 40.0f);
  EXPECT_EQ(reader(1, 1), 40.0f);
  EXPECT_EQ(reader.shape, tensor.shape);
  EXPECT_EQ(reader.strides, tensor.strides);
  static_assert(!std::is_convertible_v<ConstTensor, Tensor>);
}

TEST(Tensor, NarrowKeepsTheStrides) {
  std::vector<float> values = counting(24);
  const Tensor tensor(values.data(), {2, 3, 4});
  const Tensor middle = tensor.narrow(1, 1, 2);
  EXPECT_EQ(middle.to_string(), "[2, 2, 4]");
  EXPECT_EQ(middle(0, 0, 0), 4.0f);
  EXPECT_EQ(middle(1, 1, 3), 23.0f);
  EXPECT_FALSE(middle.is_contiguous());
  const Tensor column = middle.narrow(2, 3, 1);
  EXPECT_EQ(column(1, 0, 0), 19.0f);
  EXPECT_FALSE(column.is_contiguous());
  EXPECT_TRUE(tensor.narrow(0, 1, 1).is_contiguous());
  EXPECT_TRUE(tensor.narrow(0, 1, 1).narrow(1, 1, 2).is_contiguous());  // rows of one plane
  EXPECT_EQ(tensor.narrow(2, 4, 0).size(), 0);                          // the empty end is inside
}

TEST(Tensor, NarrowStaysInside) {
  std::vector<float> values = counting(6);
  const Tensor tensor(values.data(), {2, 3});
  const auto narrow = [&](int axis, int64_t begin, int64_t count) {
    return error_of([&] { tensor.narrow(axis, begin, count); });
  };
  EXPECT_EQ(narrow(1, 0, 3), "");
  EXPECT_NE(narrow(1, 1, 3).find("narrow"), std::string::npos);
  EXPECT_NE(narrow(1, 1, 3).find("axis 1 of [2, 3]"), std::string::npos);
  EXPECT_NE(narrow(1, 1, 3).find("1..4"), std::string::npos);
  EXPECT_NE(narrow(1, -1, 2), "");
  EXPECT_NE(narrow(1, 0, -1), "");
  EXPECT_NE(narrow(2, 0, 1), "");
  EXPECT_NE(narrow(-1, 0, 1), "");
}

TEST(Tensor, ReshapeKeepsTheOrder) {
  std::vector<float> values = counting(24);
  const Tensor tensor(values.data(), {2, 3, 4});
  const Tensor matrix = tensor.reshape({6, 4});
  EXPECT_EQ(matrix.to_string(), "[6, 4]");
  EXPECT_EQ(matrix(5, 2), 22.0f);
  EXPECT_EQ(matrix.data, tensor.data);
  EXPECT_EQ(tensor.narrow(0, 1, 1).reshape({12})(3), 15.0f);
}

TEST(Tensor, ReshapeNeedsTheSameContiguousElements) {
  std::vector<float> values = counting(24);
  const Tensor tensor(values.data(), {2, 3, 4});
  const std::string wrong_size = error_of([&] { tensor.reshape({5, 5}); });
  EXPECT_NE(wrong_size.find("[2, 3, 4]"), std::string::npos);
  EXPECT_NE(wrong_size.find("[5, 5]"), std::string::npos);
  EXPECT_NE(error_of([&] { tensor.narrow(2, 0, 2).reshape({12}); }).find("strided"),
            std::string::npos);
}

}  // namespace
}  // namespace cria
