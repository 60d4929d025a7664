// A weight packed once: by the results of products with it.
#include "cria/nn/packed_weight.h"

#include <gtest/gtest.h>

#include "kernels/products.h"
#include "support/compare.h"
#include "support/random.h"

namespace cria {
namespace {

constexpr int64_t kRows = 64, kOut = 20, kIn = 30;

struct Product {
  std::vector<float> x = normal_values(kRows * kIn, "x"), w = normal_values(kOut * kIn, "w");
  std::vector<float> out = std::vector<float>(kRows * kOut);
  Plan plan;
  PackedWeight packed;

  explicit Product(bool repeats_weights) {
    reserve_kernel_memory();
    plan.repeats_weights = repeats_weights;
    packed = PackedWeight(plan, product());
    plan.saved.allocate("test");
    packed = PackedWeight(plan, product());
  }

  Gemm product() {
    return weight_product(ConstTensor(x.data(), {kRows, kIn}), ConstTensor(w.data(), {kOut, kIn}),
                          Tensor(out.data(), {kRows, kOut}), Precision::fp32);
  }

  std::vector<float> multiply(int64_t version) {
    packed.multiply(product(), version);
    return out;
  }
};

TEST(PackedWeight, IsPackedAgainForAnotherVersionOnly) {
  Product run(true), plain(false);
  EXPECT_GT(run.plan.saved.bytes(), 0);
  const std::vector<float> before = run.multiply(1);
  EXPECT_TRUE(same_bits(before, plain.multiply(1)));
  run.w[7] = plain.w[7] = 100.0f;
  EXPECT_TRUE(same_bits(run.multiply(1), before));
  EXPECT_FALSE(same_bits(run.multiply(2), before));
  EXPECT_TRUE(same_bits(run.out, plain.multiply(2)));
}

TEST(PackedWeight, NeedsNoMemoryForASinglePass) {
  Product run(false);
  EXPECT_EQ(run.plan.saved.bytes(), 0);
  const std::vector<float> before = run.multiply(1);
  run.w[7] = 100.0f;
  EXPECT_FALSE(same_bits(run.multiply(1), before));
}

}  // namespace
}  // namespace cria
