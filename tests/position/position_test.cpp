#include "cria/position/position.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cria/position/rope.h"
#include "support/golden.h"
#include "support/random.h"
#include "support/tiny_model.h"

namespace cria {
namespace {

// x [2,7,3,8] against PyTorch: from position 0 and from an offset, and the backward.
TEST(Rope, Golden) {
  const Golden golden("rope");
  const Rope rope(
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
  const Rope rope({.name = "rope", .head_dim = 8, .max_positions = 100, .rope_theta = 10000.0});
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

TEST(Rope, BeyondTheTableIsAnError) {
  const Rope rope({.name = "rope", .head_dim = 8, .max_positions = 10, .rope_theta = 10000.0});
  std::vector<float> x(3 * 8);
  const Tensor view(x.data(), {1, 3, 1, 8});
  EXPECT_NO_THROW(rope.on_qk(0, view, view, 7));
  EXPECT_THROW(rope.on_qk(0, view, view, 8), Error);
}

TEST(Position, UnknownNameOffersTheNearest) {
  try {
    Parameters parameters;
    make_position(parameters, {.name = "ropee"});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean 'rope'?"), std::string::npos);
  }
}

}  // namespace
}  // namespace cria
