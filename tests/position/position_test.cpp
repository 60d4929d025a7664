#include "cria/position/position.h"

#include <gtest/gtest.h>

#include <cmath>

#include "position/rope.h"
#include "support/errors.h"
#include "support/golden.h"
#include "support/random.h"
#include "support/tiny_model.h"

namespace cria {
namespace {

Rope prepared(const PositionConfig& config) {
  Rope rope(config);
  rope.prepare(config.max_positions);
  return rope;
}

// x [2,7,3,8] against PyTorch: from position 0 and from an offset, and the backward.
TEST(Rope, Golden) {
  const Golden golden("rope");
  const Rope rope = prepared(
      {.name = "rope", .head_dim = 8, .max_positions = 16, .rope_theta = golden.number("theta")});
  const std::vector<float> none(2 * 7 * 8);
  const auto rotated = [&](const std::string& name, int64_t first, bool backward) {
    std::vector<float> x = golden.floats(name), k = none;
    const Tensor q(x.data(), {2, 7, 3, 8}), other(k.data(), {2, 7, 1, 8});
    backward ? rope.on_qk_backward(0, q, other, first) : rope.on_qk(0, q, other, first);
    return x;
  };
  const auto compare = [&](const std::vector<float>& got, const std::string& want) {
    expect_near_norm(ConstTensor(got.data(), {2, 7, 3, 8}), golden.floats(want), 1e-6, want);
  };
  compare(rotated("x", 0, false), "y");
  compare(rotated("x", golden.integer("offset"), false), "y_offset");
  compare(rotated("dout", 0, true), "dx");
}

TEST(Rope, ScoresDependOnTheDistanceOnly) {
  const Rope rope =
      prepared({.name = "rope", .head_dim = 8, .max_positions = 100, .rope_theta = 10000.0});
  const std::vector<float> q0 = normal_values(8, "q"), k0 = normal_values(8, "k");
  const auto score = [&](int64_t query, int64_t key) {
    std::vector<float> q = q0, k = k0, unused(8);
    rope.on_qk(0, Tensor(q.data(), {1, 1, 1, 8}), Tensor(unused.data(), {1, 1, 1, 8}), query);
    rope.on_qk(0, Tensor(k.data(), {1, 1, 1, 8}), Tensor(unused.data(), {1, 1, 1, 8}), key);
    double total = 0;
    for (int i = 0; i < 8; ++i) total += static_cast<double>(q[i]) * k[i];
    return total;
  };
  for (const int64_t shift : {1, 17, 90}) {
    EXPECT_NEAR(score(9 + shift, 4 + shift), score(9, 4), 1e-5) << shift;
  }
  EXPECT_GT(std::abs(score(9, 4) - score(9, 5)), 1e-3);
}

// A config may allow more than memory holds.
TEST(Rope, OnlyWhatIsPreparedIsMade) {
  Rope rope({.name = "rope", .head_dim = 8, .max_positions = int64_t{1} << 40});
  const Rope small = prepared({.name = "rope", .head_dim = 8, .max_positions = 10});
  std::vector<float> x = normal_values(5 * 8, "x"), y = x, unused(5 * 8);
  const Tensor other(unused.data(), {1, 5, 1, 8});
  rope.prepare(3);
  EXPECT_THROW(rope.on_qk(0, Tensor(x.data(), {1, 5, 1, 8}), other, 5), Error);
  rope.prepare(10);
  rope.prepare(3);
  rope.on_qk(0, Tensor(x.data(), {1, 5, 1, 8}), other, 5);
  small.on_qk(0, Tensor(y.data(), {1, 5, 1, 8}), other, 5);
  EXPECT_EQ(x, y);
}

TEST(Rope, BeyondTheTableIsAnError) {
  const Rope rope =
      prepared({.name = "rope", .head_dim = 8, .max_positions = 10, .rope_theta = 10000.0});
  std::vector<float> x(3 * 8);
  const Tensor view(x.data(), {1, 3, 1, 8});
  EXPECT_NO_THROW(rope.on_qk(0, view, view, 7));
  EXPECT_THROW(rope.on_qk(0, view, view, 8), Error);
}

// x [1,T,1,D] rotated as q is.
std::vector<float> rotated(const Rope& rope, const std::vector<float>& x, int64_t time,
                           int64_t first) {
  std::vector<float> q = x, k = x;
  const int64_t head_dim = static_cast<int64_t>(x.size()) / time;
  rope.on_qk(0, Tensor(q.data(), {1, time, 1, head_dim}), Tensor(k.data(), {1, time, 1, head_dim}),
             first);
  EXPECT_EQ(q, k);
  return q;
}

TEST(Rope, ReserveGoesOnWithTheSameFrequencies) {
  Rope rope = prepared({.name = "rope", .head_dim = 8, .max_positions = 10, .rope_theta = 10000.0});
  const Rope made_for_it = prepared({.name = "rope", .head_dim = 8, .max_positions = 30});
  const std::vector<float> x = normal_values(25 * 8, "x");
  const std::vector<float> row(x.begin(), x.begin() + 8);
  const std::vector<float> within = rotated(rope, row, 1, 9);
  rope.reserve(30);
  EXPECT_EQ(rotated(rope, row, 1, 9), within);
  EXPECT_EQ(rotated(rope, x, 25, 5), rotated(made_for_it, x, 25, 5));
  EXPECT_THROW(rotated(rope, x, 25, 6), Error);
}

// One base for the whole of a pass that goes beyond the trained length, the plain one for a pass
// that does not.
TEST(Rope, DynamicScalingActsBeyondTheTrainedLengthOnly) {
  const RopeScaling dynamic = {.rope_type = "dynamic", .factor = 2.0};
  Rope rope =
      prepared({.name = "rope", .head_dim = 8, .max_positions = 10, .rope_scaling = dynamic});
  const Rope plain = prepared({.name = "rope", .head_dim = 8, .max_positions = 30});
  const std::vector<float> x = normal_values(30 * 8, "x");
  const std::vector<float> start(x.begin(), x.begin() + 10 * 8);
  rope.reserve(30);
  EXPECT_EQ(rotated(rope, start, 10, 0), rotated(plain, start, 10, 0));
  // theta (s n/Lm - (s - 1))^(D/(D-2)) for n = 30: 10000 * 5^(8/6).
  const Rope changed = prepared({.name = "rope",
                                 .head_dim = 8,
                                 .max_positions = 30,
                                 .rope_theta = 10000.0 * std::pow(5.0, 8.0 / 6.0)});
  EXPECT_EQ(rotated(rope, x, 30, 0), rotated(changed, x, 30, 0));
  // Another length, another base.
  rope.reserve(31);
  EXPECT_NE(rotated(rope, x, 30, 0), rotated(changed, x, 30, 0));
}

// dot(rotate(x), y) = dot(x, backward(y)), with YaRN's factor on both.
TEST(Rope, TheBackwardIsTheTransposeOfTheForward) {
  const RopeScaling yarn = {
      .rope_type = "yarn", .factor = 8.0, .original_max_position_embeddings = 64};
  const Rope rope =
      prepared({.name = "rope", .head_dim = 8, .max_positions = 512, .rope_scaling = yarn});
  const std::vector<float> x = normal_values(40 * 8, "x"), y = normal_values(40 * 8, "y");
  const std::vector<float> forward = rotated(rope, x, 40, 300);
  std::vector<float> backward = y, other = y;
  rope.on_qk_backward(0, Tensor(backward.data(), {1, 40, 1, 8}),
                      Tensor(other.data(), {1, 40, 1, 8}), 300);
  double left = 0, right = 0, before = 0, after = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    left += static_cast<double>(forward[i]) * y[i];
    right += static_cast<double>(x[i]) * backward[i];
    before += static_cast<double>(x[i]) * x[i];
    after += static_cast<double>(forward[i]) * forward[i];
  }
  // Sums of 320 products near 1, each rounded to 1e-7.
  EXPECT_NEAR(left, right, 1e-5);
  EXPECT_NEAR(std::sqrt(after / before), 0.1 * std::log(8.0) + 1, 1e-6);
}

TEST(Position, UnknownNameOffersTheNearest) {
  try {
    Parameters parameters;
    make_position(parameters, {.name = "ropee"});
    FAIL() << "no error";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("did you mean 'rope'?"), std::string::npos) << message;
    EXPECT_NE(message.find("expected: one of \"rope\", \"learned\""), std::string::npos) << message;
  }
}

// What would have written beyond its memory, or divided by zero, is an Error.
TEST(MakePosition, RefusesWhatAnEncodingCannotBe) {
  const auto expect_refusal = [](const PositionConfig& config, const std::string& key) {
    Parameters parameters;
    const std::string message = error_of([&] { make_position(parameters, config); });
    EXPECT_TRUE(message.starts_with("make_position: " + key + ": ")) << message;
  };
  expect_refusal({.name = "sinusoidal", .hidden_size = 7, .max_positions = 4}, "hidden_size");
  expect_refusal({.name = "sinusoidal", .max_positions = 4}, "hidden_size");
  expect_refusal({.name = "transformer_xl", .hidden_size = 9, .heads = 3, .head_dim = 3},
                 "hidden_size");
  expect_refusal({.name = "rope", .head_dim = 3, .max_positions = 4}, "head_dim");
  expect_refusal({.name = "rope", .head_dim = -2, .max_positions = 4}, "head_dim");
  expect_refusal({.name = "rope", .head_dim = 4, .max_positions = 4, .rope_theta = 0.5},
                 "rope_theta");
  expect_refusal(
      {.name = "rope", .head_dim = 2, .max_positions = 4, .rope_scaling = {.rope_type = "dynamic"}},
      "head_dim");
  expect_refusal(
      {.name = "rope", .head_dim = 4, .max_positions = 4, .rope_scaling = {.rope_type = "ntk"}},
      "rope_scaling.rope_type");
  expect_refusal({.name = "alibi"}, "num_attention_heads");
  expect_refusal({.name = "t5", .heads = 2, .relative = {.num_buckets = 5}},
                 "relative_attention_num_buckets");
  expect_refusal({.name = "t5", .heads = 2, .relative = {.num_buckets = 8, .max_distance = 4}},
                 "relative_attention_max_distance");
  expect_refusal({.name = "deberta",
                  .hidden_size = 4,
                  .heads = 1,
                  .kv_heads = 1,
                  .head_dim = 4,
                  .max_positions = 8,
                  .relative = {.position_buckets = 2}},
                 "position_buckets");
}

}  // namespace
}  // namespace cria
