#include "exchange/rope_layout.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/random.h"

namespace cria {
namespace {

using Floats = std::vector<float>;

// Two heads of 8 with rows of two elements; a row's number tells which it is.
Floats numbered(int64_t rows, int64_t columns) {
  Floats values;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < columns; ++column) {
      values.push_back(static_cast<float>(row + 100 * column));
    }
  }
  return values;
}

TEST(RopeLayout, PutsTheTwoOfAPairSideBySide) {
  Floats values = numbered(16, 2), out(32);
  const Tensor tensor(values.data(), {16, 2});
  read_interleaved(tensor, 8, 0, 16, out.data());
  const Floats order = {0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15};
  for (size_t row = 0; row < 16; ++row) {
    EXPECT_EQ(out[2 * row], order[row]);
    EXPECT_EQ(out[2 * row + 1], order[row] + 100);
  }
  Floats part(6);
  read_interleaved(tensor, 8, 7, 3, part.data());
  EXPECT_EQ(part, Floats(out.begin() + 14, out.begin() + 20));
  for (int64_t row = 0; row < 16; ++row) {
    EXPECT_EQ(out[2 * interleaved_row(row, 8)], static_cast<float>(row));
  }
}

TEST(RopeLayout, ABiasIsARowOfNumbers) {
  Floats values = numbered(16, 1), out(16);
  read_interleaved(Tensor(values.data(), {16}), 8, 0, 16, out.data());
  EXPECT_EQ(out, (Floats{0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15}));
}

TEST(RopeLayout, RefusesWhatIsNoWholeHeads) {
  Floats values = numbered(12, 1), out(12);
  EXPECT_ANY_THROW(read_interleaved(Tensor(values.data(), {12, 1}), 8, 0, 12, out.data()));
  EXPECT_ANY_THROW(read_interleaved(Tensor(values.data(), {12, 1}), 3, 0, 12, out.data()));
}

// The scores of grouped heads do not change: half-split rotation of half-split rows against
// interleaved rotation of interleaved ones, 4 query heads on 2 key heads.
TEST(RopeLayout, ScoresStayTheSame) {
  constexpr int64_t kDim = 8, kHeads = 4, kKeys = 2;
  const Floats q = normal_values(kHeads * kDim, "q"), k = normal_values(kKeys * kDim, "k");
  Floats q2(q.size()), k2(k.size());
  read_interleaved(ConstTensor(q.data(), {kHeads * kDim, 1}), kDim, 0, kHeads * kDim, q2.data());
  read_interleaved(ConstTensor(k.data(), {kKeys * kDim, 1}), kDim, 0, kKeys * kDim, k2.data());
  const auto rotated = [](const float* head, int64_t position, bool interleaved) {
    std::vector<double> out(kDim);
    for (int64_t i = 0; i < kDim / 2; ++i) {
      const int64_t a = interleaved ? 2 * i : i, b = interleaved ? 2 * i + 1 : i + kDim / 2;
      const double angle = position * std::pow(10000.0, -2.0 * i / kDim);
      out[a] = head[a] * std::cos(angle) - head[b] * std::sin(angle);
      out[b] = head[a] * std::sin(angle) + head[b] * std::cos(angle);
    }
    return out;
  };
  for (int64_t head = 0; head < kHeads; ++head) {
    const int64_t key = head / (kHeads / kKeys);
    double scores[2] = {0, 0};
    for (const bool interleaved : {false, true}) {
      const auto left = rotated((interleaved ? q2 : q).data() + head * kDim, 7, interleaved);
      const auto right = rotated((interleaved ? k2 : k).data() + key * kDim, 2, interleaved);
      for (int64_t i = 0; i < kDim; ++i) scores[interleaved] += left[i] * right[i];
    }
    EXPECT_NEAR(scores[0], scores[1], 1e-12);  // the same products, in another order
  }
}

}  // namespace
}  // namespace cria
