// Vectors as points of a plane: principal axes, which show where the vectors spread most, and
// t-SNE, which keeps near what is near. In double, by one thread: the same bits always.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace cria {

using PlanePoints = std::vector<std::array<double, 2>>;

// A matrix [rows, columns].
struct Vectors {
  int64_t rows = 0, columns = 0;
  std::vector<double> values = {};

  const double* row(int64_t i) const { return values.data() + i * columns; }
  double* row(int64_t i) { return values.data() + i * columns; }
};

// Each row divided by its norm; a row of zeros stays.
Vectors unit_rows(Vectors vectors);

// x y^T [x.rows, y.rows] of two matrices with as many columns.
std::vector<double> products(const Vectors& x, const Vectors& y);

// The two directions in which rows less their mean spread most. Of an axis the largest component is
// positive, so that its sign is nobody's choice; an axis along which nothing spreads is 0.
struct PrincipalAxes {
  std::vector<double> mean;           // [columns]
  Vectors axes;                       // [2, columns], of unit length
  std::array<double, 2> shares = {};  // of the squares of all rows less their mean

  PlanePoints project(const Vectors& vectors) const;
};
PrincipalAxes principal_axes(const Vectors& vectors);

// t-SNE. Source: Visualizing Data using t-SNE (van der Maaten & Hinton, 2008), section 3; the
// exaggeration, gains and rates are scikit-learn's.

// p [n,n], symmetric, all of it 1: for each row a Gaussian of distances whose perplexity is the one
// asked for, or a third of the other rows, if that is less. n: 3 or more.
std::vector<double> neighbor_probabilities(const Vectors& vectors, double perplexity);

// KL(p, q) with q_ij in proportion to 1 / (1 + |y_i - y_j|^2), and its gradient:
//   dKL/dy_i = 4 sum_j (p_ij - q_ij) (y_i - y_j) / (1 + |y_i - y_j|^2)
// exaggeration: p times as much, in the gradient only.
double layout_divergence(const std::vector<double>& p, const PlanePoints& y);
void layout_gradient(const std::vector<double>& p, const PlanePoints& y, double exaggeration,
                     PlanePoints& gradient);

// The layout that gradient descent comes to from `start`, which is scaled to begin small; only its
// shape matters.
PlanePoints neighbor_layout(const std::vector<double>& p, PlanePoints start);

// points, turned and perhaps mirrored so that they are as near to those of `target` as that makes
// them; both have their mean at 0.
PlanePoints turned_to(PlanePoints points, const PlanePoints& target);

}  // namespace cria
