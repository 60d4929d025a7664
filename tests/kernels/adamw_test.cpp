#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "cria/kernels/kernels.h"
#include "support/compare.h"
#include "support/guarded.h"
#include "support/isas.h"
#include "support/random.h"
#include "support/reference.h"

namespace cria {
namespace {

class AdamWTest : public IsaTest {};
class SumOfSquaresTest : public IsaTest {};
CRIA_ON_EVERY_ISA(AdamWTest);
CRIA_ON_EVERY_ISA(SumOfSquaresTest);

constexpr int64_t kCounts[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 1031};

// The planes of `count` elements after some steps: v is never negative, m/sqrt(v) of order one.
struct AdamWPlanes {
  explicit AdamWPlanes(int64_t count)
      : p(normal_values(count, "p")),
        g(normal_values(count, "g")),
        m(normal_values(count, "m", 0.1)),
        v(squares(count)) {}

  static std::vector<float> squares(int64_t count) {
    std::vector<float> values = normal_values(count, "v", 0.3);
    for (float& value : values) value *= value;
    return values;
  }

  Guarded p, g, m, v;
};

// lr, weight decay and betas of a usual run.
AdamW step(AdamWPlanes& planes, int number, float grad_scale, float learning_rate = 3e-4f,
           float weight_decay = 0.1f) {
  const double beta1 = 0.9, beta2 = 0.95;
  return {planes.p.data(),
          planes.g.data(),
          planes.m.data(),
          planes.v.data(),
          planes.p.size(),
          grad_scale,
          1.0f - learning_rate * weight_decay,
          static_cast<float>(beta1),
          static_cast<float>(beta2),
          1e-8f,
          static_cast<float>(learning_rate / (1 - std::pow(beta1, number))),
          static_cast<float>(1 / std::sqrt(1 - std::pow(beta2, number)))};
}

void check(const AdamW& call, AdamWPlanes& planes) {
  SCOPED_TRACE("count " + std::to_string(call.count));
  const auto want = reference::adamw(call);
  kernels().adamw(call);
  EXPECT_TRUE(within(planes.p.elements(), want.p)) << "p";
  EXPECT_TRUE(within(planes.m.elements(), want.m)) << "m";
  EXPECT_TRUE(within(planes.v.elements(), want.v)) << "v";
  EXPECT_TRUE(same_bits(planes.g.elements(), std::vector<float>(call.count, 0.0f))) << "g";
  for (const Guarded* plane : {&planes.p, &planes.g, &planes.m, &planes.v}) {
    EXPECT_TRUE(plane->gaps_untouched());
  }
}

TEST_P(AdamWTest, OneStep) {
  for (const int64_t count : kCounts) {
    AdamWPlanes planes(count);
    check(step(planes, 7, 0.25f), planes);
  }
}

TEST_P(AdamWTest, LargeStepsMakeEveryTermVisible) {
  AdamWPlanes planes(67);
  check(step(planes, 1, 3.0f, 0.5f, 0.9f), planes);
}

// The first step from nothing moves every weight by the learning rate, against its gradient.
TEST_P(AdamWTest, FirstStepIsTheLearningRate) {
  AdamWPlanes planes(33);
  const std::vector<float> zeros(33), g = planes.g.elements();
  for (Guarded* plane : {&planes.p, &planes.m, &planes.v}) plane->set(zeros);
  kernels().adamw(step(planes, 1, 1.0f, 0.01f));
  for (size_t i = 0; i < g.size(); ++i) {
    // eps = 1e-8 beside |g| and a handful of roundings.
    const double tolerance = 0.01 * (1e-8 / std::abs(g[i]) + 16 * kEpsilon);
    EXPECT_NEAR(planes.p.elements()[i], g[i] > 0 ? -0.01 : 0.01, tolerance) << i;
  }
}

// Padding between parameters has no gradient and no value; it must stay zero.
TEST_P(AdamWTest, ZeroStaysZero) {
  AdamWPlanes planes(33);
  const std::vector<float> zeros(33);
  for (Guarded* plane : {&planes.p, &planes.g, &planes.m, &planes.v}) plane->set(zeros);
  kernels().adamw(step(planes, 1, 1.0f));
  for (const Guarded* plane : {&planes.p, &planes.g, &planes.m, &planes.v}) {
    EXPECT_EQ(plane->elements(), zeros);
  }
}

TEST_P(SumOfSquaresTest, EveryCount) {
  for (const int64_t count : kCounts) {
    Guarded x(normal_values(count, "x"));
    const Bounded want = reference::dot(count, x.data(), 1, x.data(), 1);
    EXPECT_NEAR(kernels().sum_of_squares(count, x.data()), want.value, want.error) << count;
  }
}

// Equal terms make all roundings of a long fp32 sum go the same way. The result is a double because
// short sums are added up in double precision: no term goes through more than 1024 fp32 additions.
TEST_P(SumOfSquaresTest, LongSumsDoNotDrift) {
  const std::vector<float> x(1 << 20, 0.3f);
  const double want = static_cast<double>(x.size()) * x[0] * x[0];
  EXPECT_NEAR(kernels().sum_of_squares(1 << 20, x.data()), want, 1024 * kEpsilon * want);
}

}  // namespace
}  // namespace cria
