// Maps against NumPy, SciPy and PyTorch (tests/golden/plane_map.py), and by what they promise.
#include "inspect/plane_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/golden.h"

namespace cria {
namespace {

// All is in double, of numbers of about 1: 1e-12 is rounding, 1e-9 that of sums and eigenvectors.
class PlaneMap : public ::testing::Test {
 public:
  Vectors vectors() const {
    const std::vector<float> x = golden_.floats("x");
    return {20, 6, std::vector<double>(x.begin(), x.end())};
  }
  PlanePoints places() const {
    const std::vector<float> y = golden_.floats("y");
    PlanePoints points;
    for (size_t i = 0; i < y.size(); i += 2) points.push_back({y[i], y[i + 1]});
    return points;
  }
  std::vector<double> probabilities() const {
    return neighbor_probabilities(vectors(), golden_.number("perplexity"));
  }
  double number(const char* name, size_t i, size_t axis) const {
    return setting(name)[i].as_array(name)[axis].as_double(name);
  }
  Json::Array setting(const char* name) const { return golden_.setting(name).as_array(name); }

 protected:
  Golden golden_{"plane_map"};
};

TEST_F(PlaneMap, PrincipalAxesAreThoseOfTheSvd) {
  const PrincipalAxes axes = principal_axes(vectors());
  const PlanePoints points = axes.project(vectors());
  for (const size_t axis : {0, 1}) {
    EXPECT_NEAR(axes.shares[axis], setting("shares")[axis].as_double("shares"), 1e-12);
    for (size_t i = 0; i < 20; ++i) {
      EXPECT_NEAR(points[i][axis], number("projected", i, axis), 1e-9) << i;
    }
  }
}

TEST_F(PlaneMap, AnAxisWithoutSpreadIsZero) {
  const Vectors line = {3, 2, {0, 0, 3, 4, 6, 8}};
  const PrincipalAxes axes = principal_axes(line);
  EXPECT_NEAR(axes.shares[0], 1, 1e-12);
  EXPECT_EQ(axes.shares[1], 0);
  for (const auto& [i, want] : {std::pair(0, -5.0), {1, 0.0}, {2, 5.0}}) {
    EXPECT_NEAR(axes.project(line)[i][0], want, 1e-12);
    EXPECT_EQ(axes.project(line)[i][1], 0);
  }
}

TEST_F(PlaneMap, ProbabilitiesHaveThePerplexity) {
  const std::vector<double> p = probabilities();
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    EXPECT_NEAR(p[i], setting("probabilities")[i].as_double("p"), 1e-10) << i;
    sum += p[i];
  }
  EXPECT_NEAR(sum, 1, 1e-12);
}

TEST_F(PlaneMap, DivergenceAndGradientAreExact) {
  const std::vector<double> p = probabilities();
  EXPECT_NEAR(layout_divergence(p, places()), golden_.number("divergence"), 1e-9);
  PlanePoints gradient, exaggerated, of_threefold;
  layout_gradient(p, places(), 1, gradient);
  layout_gradient(p, places(), 3, exaggerated);
  std::vector<double> threefold = p;
  for (double& x : threefold) x *= 3;
  layout_gradient(threefold, places(), 1, of_threefold);
  for (size_t i = 0; i < 20; ++i) {
    for (const size_t axis : {0, 1}) {
      EXPECT_NEAR(gradient[i][axis], number("gradient", i, axis), 1e-9);
      EXPECT_NEAR(exaggerated[i][axis], of_threefold[i][axis], 1e-12);
      // The difference quotient's error is of the order of its step squared, 1e-8.
      constexpr double kStep = 1e-4;
      PlanePoints before = places(), after = places();
      before[i][axis] -= kStep;
      after[i][axis] += kStep;
      const double change = layout_divergence(p, after) - layout_divergence(p, before);
      EXPECT_NEAR(gradient[i][axis], change / (2 * kStep), 1e-8);
    }
  }
}

// Descent comes to less than half of what places at random have: the same each time, neighbours
// together.
TEST_F(PlaneMap, LayoutKeepsNeighborsTogether) {
  const std::vector<double> p = probabilities();
  const PlanePoints start = principal_axes(vectors()).project(vectors());
  const PlanePoints y = neighbor_layout(p, start);
  EXPECT_EQ(y, neighbor_layout(p, start));
  EXPECT_LT(layout_divergence(p, y), 0.5 * layout_divergence(p, places()));
  const auto distance = [&](size_t i, size_t j) {
    return std::hypot(y[i][0] - y[j][0], y[i][1] - y[j][1]);
  };
  for (size_t i = 0; i < 20; ++i) {
    std::vector<size_t> others;
    for (size_t j = 0; j < 20; ++j) {
      if (j != i) others.push_back(j);
    }
    // Its most probable neighbour is among the three nearest.
    const size_t best =
        *std::ranges::max_element(others, {}, [&](size_t j) { return p[i * 20 + j]; });
    const auto nearer =
        std::ranges::count_if(others, [&](size_t j) { return distance(i, j) < distance(i, best); });
    EXPECT_LE(nearer, 2) << i;
  }
}

TEST_F(PlaneMap, TurnsBackWhatWasTurned) {
  const PlanePoints target = {{1, 0}, {0, 2}, {-1, -2}};
  for (const double side : {1, -1}) {
    PlanePoints points;
    for (const auto& [x, up] : target)
      points.push_back({0.6 * x - 0.8 * up, side * (0.8 * x + 0.6 * up)});
    const PlanePoints back = turned_to(points, target);
    for (size_t i = 0; i < 3; ++i) {
      for (const size_t axis : {0, 1}) EXPECT_NEAR(back[i][axis], target[i][axis], 1e-12);
    }
  }
}

TEST_F(PlaneMap, UnitRowsLeaveZerosAlone) {
  EXPECT_EQ(unit_rows({2, 2, {3, 4, 0, 0}}).values, (std::vector<double>{0.6, 0.8, 0, 0}));
}

}  // namespace
}  // namespace cria
