#include "position/absolute.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cria/base/error.h"
#include "support/random.h"
#include "support/threads.h"

namespace cria {
namespace {

// Three positions of width 2: row p is (10 p, 10 p + 1).
struct Learned {
  Parameters parameters;
  LearnedPositions position{parameters,
                            {.name = "learned", .hidden_size = 2, .max_positions = 3, .std = 0.5}};
  Parameter& weight = parameters.slots().front();

  Learned() {
    parameters.allocate();
    const Tensor rows = weight.mutable_value();
    for (int64_t p = 0; p < 3; ++p) {
      rows(p, 0) = static_cast<float>(10 * p);
      rows(p, 1) = static_cast<float>(10 * p + 1);
    }
  }
};

std::string error_of_reserve(Position& position, int64_t count) {
  try {
    position.reserve(count);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(LearnedPositions, TheParameter) {
  Learned learned;
  EXPECT_EQ(learned.parameters.slots().size(), 1u);
  EXPECT_EQ(learned.weight.name, "model.embed_positions.weight");
  EXPECT_EQ(learned.weight.value.to_string(), "[3, 2]");
  EXPECT_TRUE(learned.weight.kind == ParameterKind::embedding);
  EXPECT_EQ(learned.weight.initialization.std, 0.5);
}

TEST(LearnedPositions, AddsTheRowOfThePosition) {
  const Learned learned;
  std::vector<float> x = {1, 2, 3, 4, 5, 6, 7, 8};
  learned.position.on_embedding(Tensor(x.data(), {2, 2, 2}), 1, {});
  EXPECT_EQ(x, (std::vector<float>{11, 13, 23, 25, 15, 17, 27, 29}));
}

TEST(LearnedPositions, GradientsSumOverTheBatchAndAccumulate) {
  const Learned learned;
  std::vector<float> dx = {1, 2, 3, 4, 5, 6, 7, 8};
  learned.weight.grad(0, 0) = 100;
  learned.position.on_embedding_backward(Tensor(dx.data(), {2, 2, 2}), 0, {});
  const float* grad = learned.weight.grad.data;
  EXPECT_EQ(std::vector<float>(grad, grad + 6), (std::vector<float>{106, 8, 10, 12, 0, 0}));
}

TEST(LearnedPositions, CountFromTheBeginningOfTheDocument) {
  const Learned learned;
  const std::vector<int32_t> starts = {0, 1, 1, 0, 0, 2};
  const TokenIds view(starts.data(), {2, 3});
  std::vector<float> x(12);
  learned.position.on_embedding(Tensor(x.data(), {2, 3, 2}), 0, view);
  EXPECT_EQ(x, (std::vector<float>{0, 1, 0, 1, 10, 11, 0, 1, 10, 11, 0, 1}));
  std::vector<float> dx = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  learned.position.on_embedding_backward(Tensor(dx.data(), {2, 3, 2}), 0, view);
  const float* grad = learned.weight.grad.data;
  EXPECT_EQ(std::vector<float>(grad, grad + 6), (std::vector<float>{22, 26, 14, 16, 0, 0}));
}

TEST(LearnedPositions, SameBitsForAnyNumberOfThreads) {
  constexpr int64_t kBatch = 5, kTime = 300, kWidth = 200;
  std::vector<int32_t> starts;
  for (int32_t n = 0; n < kBatch * kTime; ++n) starts.push_back(n % kTime / 7 * 7);
  std::vector<float> first;
  for (const int threads : {1, 2, 3}) {
    const ThreadCount count(threads);
    Parameters parameters;
    LearnedPositions position(parameters,
                              {.name = "learned", .hidden_size = kWidth, .max_positions = kTime});
    parameters.allocate();
    std::vector<float> dx = normal_values(kBatch * kTime * kWidth, "dx");
    position.on_embedding_backward(Tensor(dx.data(), {kBatch, kTime, kWidth}), 0,
                                   TokenIds(starts.data(), {kBatch, kTime}));
    const float* grad = parameters.slots().front().grad.data;
    const std::vector<float> gradient(grad, grad + kTime * kWidth);
    if (first.empty()) first = gradient;
    EXPECT_TRUE(gradient == first);
  }
}

TEST(LearnedPositions, EndWhereTheTableDoes) {
  Learned learned;
  std::vector<float> x(6);
  const Tensor view(x.data(), {1, 3, 2});
  EXPECT_NO_THROW(learned.position.on_embedding(view, 0, {}));
  EXPECT_THROW(learned.position.on_embedding(view, 1, {}), Error);
  EXPECT_EQ(error_of_reserve(learned.position, 3), "");
  const std::string message = error_of_reserve(learned.position, 4);
  for (const char* part : {"model.max_position_embeddings: learned positions end at 3",
                           "expected: at most 3 tokens", "got: 4", "hint: "}) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
}

// Position 0 is (0, 1, 0, 1, ...); the first pair turns one radian per position, the last one of
// width 8 a thousandth.
TEST(SinusoidalPositions, Values) {
  SinusoidalPositions position({.name = "sinusoidal", .hidden_size = 8, .max_positions = 50});
  position.prepare(50);
  std::vector<float> x(50 * 8, 2.0f);
  position.on_embedding(Tensor(x.data(), {1, 50, 8}), 0, {});
  // Rounded once as a float near 1, once more in the sum.
  constexpr double kTolerance = 3e-7;
  for (int p = 0; p < 50; ++p) {
    const double frequency[] = {1.0, 0.1, 0.01, 0.001};
    for (int i = 0; i < 4; ++i) {
      EXPECT_NEAR(x[p * 8 + 2 * i], 2 + std::sin(p * frequency[i]), kTolerance) << p << ' ' << i;
      EXPECT_NEAR(x[p * 8 + 2 * i + 1], 2 + std::cos(p * frequency[i]), kTolerance);
    }
  }
}

TEST(SinusoidalPositions, CountFromTheBeginningOfTheDocument) {
  SinusoidalPositions position({.name = "sinusoidal", .hidden_size = 2, .max_positions = 9});
  position.prepare(5);
  const std::vector<int32_t> starts = {0, 0, 2, 3, 3};
  std::vector<float> x(10), alone(4);
  position.on_embedding(Tensor(x.data(), {1, 5, 2}), 0, TokenIds(starts.data(), {1, 5}));
  position.on_embedding(Tensor(alone.data(), {1, 2, 2}), 0, {});
  for (int t = 0; t < 5; ++t) {
    EXPECT_EQ(x[2 * t], alone[t % 3 == 1 ? 2 : 0]) << t;
  }
}

// Beyond the trained length after reserve, with the same rows below it.
TEST(SinusoidalPositions, GoOnForever) {
  const PositionConfig config = {.name = "sinusoidal", .hidden_size = 6, .max_positions = 10};
  SinusoidalPositions position(config);
  position.prepare(10);
  std::vector<float> before(10 * 6), after(1000 * 6);
  position.on_embedding(Tensor(before.data(), {1, 10, 6}), 0, {});
  EXPECT_THROW(position.on_embedding(Tensor(after.data(), {1, 11, 6}), 0, {}), Error);
  position.reserve(1000);
  position.reserve(20);
  position.on_embedding(Tensor(after.data(), {1, 1000, 6}), 0, {});
  EXPECT_TRUE(std::equal(before.begin(), before.end(), after.begin()));
  EXPECT_NEAR(after[999 * 6], std::sin(999.0), 1e-7);
  std::vector<float> row(6);
  position.on_embedding(Tensor(row.data(), {1, 1, 6}), 999, {});
  EXPECT_TRUE(std::equal(row.begin(), row.end(), after.end() - 6));
}

}  // namespace
}  // namespace cria
