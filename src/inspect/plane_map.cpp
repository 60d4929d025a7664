#include "inspect/plane_map.h"

#include <algorithm>
#include <cmath>
#include <complex>

#include "inspect/symmetric_eigen.h"
#include "inspect/tensor_chunks.h"

namespace cria {
namespace {

// Where the standard deviation along the first axis is that; all 0 stays.
void scale_to(PlanePoints& y, double deviation) {
  double squares = 0;
  for (const auto& point : y) squares += point[0] * point[0];
  const double factor = deviation / std::sqrt(squares / static_cast<double>(y.size()));
  for (auto& point : y) {
    for (double& x : point) x = squares > 0 ? x * factor : x;
  }
}

void centre(PlanePoints& y) {
  for (const size_t axis : {0, 1}) {
    double mean = 0;
    for (const auto& point : y) mean += point[axis] / static_cast<double>(y.size());
    for (auto& point : y) point[axis] -= mean;
  }
}

// The precision of row i's Gaussian, by bisection: the entropy of its p falls as it grows.
// p_j in proportion to exp(-precision d_j) is left in row [n]; distances [n] are squares.
void fit_row(const std::vector<double>& distances, size_t i, double entropy,
             std::vector<double>& row) {
  const double nearest = *std::ranges::min_element(
      distances, {}, [&](const double& d) { return &d == &distances[i] ? INFINITY : d; });
  double precision = 1, low = 0, high = INFINITY;
  for (int step = 0; step < 200; ++step) {
    double sum = 0, mean = 0;
    for (size_t j = 0; j < row.size(); ++j) {
      // Less the nearest, so that some term is 1.
      row[j] = j == i ? 0 : std::exp(-precision * (distances[j] - nearest));
      sum += row[j];
      mean += row[j] * (distances[j] - nearest);
    }
    for (double& p : row) p /= sum;
    // -sum_j p_j log p_j of p_j = exp(-precision d_j) / sum.
    const double difference = std::log(sum) + precision * mean / sum - entropy;
    if (std::abs(difference) < 1e-10) return;
    (difference > 0 ? low : high) = precision;
    precision = std::isinf(high) ? 2 * precision : (low + high) / 2;
  }
}

}  // namespace

Vectors unit_rows(Vectors vectors) {
  for (int64_t i = 0; i < vectors.rows; ++i) {
    double* const x = vectors.row(i);
    const double norm = std::sqrt(dot(x, x, vectors.columns));
    for (int64_t c = 0; c < vectors.columns && norm > 0; ++c) x[c] /= norm;
  }
  return vectors;
}

std::vector<double> products(const Vectors& x, const Vectors& y) {
  std::vector<double> all;
  for (int64_t i = 0; i < x.rows; ++i) {
    for (int64_t j = 0; j < y.rows; ++j) {
      all.push_back(dot(x.row(i), y.row(j), x.columns));
    }
  }
  return all;
}

PrincipalAxes principal_axes(const Vectors& vectors) {
  PrincipalAxes result = {.mean = std::vector<double>(vectors.columns),
                          .axes = {2, vectors.columns, std::vector<double>(2 * vectors.columns)}};
  Vectors centred = vectors;
  for (int64_t c = 0; c < vectors.columns; ++c) {
    for (int64_t i = 0; i < vectors.rows; ++i) {
      result.mean[c] += vectors.row(i)[c] / static_cast<double>(vectors.rows);
    }
    for (int64_t i = 0; i < vectors.rows; ++i) centred.row(i)[c] -= result.mean[c];
  }
  // With X X^T u = s^2 u, X^T u / s is an axis.
  const SymmetricEigen eigen = symmetric_eigen(products(centred, centred), vectors.rows);
  double all = 0;
  for (const double square : eigen.values) all += std::max(0.0, square);
  for (int64_t k = 0; k < std::min<int64_t>(2, vectors.rows); ++k) {
    if (!(eigen.values[k] > 1e-12 * all)) continue;
    result.shares[k] = eigen.values[k] / all;
    double* const axis = result.axes.row(k);
    for (int64_t i = 0; i < vectors.rows; ++i) {
      for (int64_t c = 0; c < vectors.columns; ++c) {
        axis[c] += eigen.vectors[k * vectors.rows + i] * centred.row(i)[c];
      }
    }
    const double largest = *std::ranges::max_element(axis, axis + vectors.columns, {},
                                                     [](double x) { return std::abs(x); });
    const double s = std::copysign(std::sqrt(eigen.values[k]), largest);
    for (int64_t c = 0; c < vectors.columns; ++c) axis[c] /= s;
  }
  return result;
}

PlanePoints PrincipalAxes::project(const Vectors& vectors) const {
  PlanePoints points;
  for (int64_t i = 0; i < vectors.rows; ++i) {
    std::vector<double> x(vectors.row(i), vectors.row(i) + vectors.columns);
    for (int64_t c = 0; c < vectors.columns; ++c) x[c] -= mean[c];
    points.push_back(
        {dot(x.data(), axes.row(0), vectors.columns), dot(x.data(), axes.row(1), vectors.columns)});
  }
  return points;
}

std::vector<double> neighbor_probabilities(const Vectors& vectors, double perplexity) {
  const size_t n = static_cast<size_t>(vectors.rows);
  const double others = static_cast<double>(n - 1);
  const double entropy = std::log(std::min(perplexity, others / 3));
  const std::vector<double> all = products(vectors, vectors);
  std::vector<double> p(n * n), distances(n), row(n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) {
      distances[j] = std::max(0.0, all[i * n + i] + all[j * n + j] - 2 * all[i * n + j]);
    }
    fit_row(distances, i, entropy, row);
    // p_ij = (p_j|i + p_i|j) / 2n
    for (size_t j = 0; j < n; ++j) {
      p[i * n + j] += row[j] / static_cast<double>(2 * n);
      p[j * n + i] += row[j] / static_cast<double>(2 * n);
    }
  }
  return p;
}

double layout_divergence(const std::vector<double>& p, const PlanePoints& y) {
  // With q_ij = near_ij / z: sum p log(p / q) = sum p log(p / near) + log z sum p.
  double divergence = 0, z = 0, of_p = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    for (size_t j = 0; j < y.size(); ++j) {
      if (i == j) continue;
      const double x = y[i][0] - y[j][0], up = y[i][1] - y[j][1], pair = p[i * y.size() + j];
      const double near = 1 / (1 + x * x + up * up);
      z += near;
      of_p += pair;
      if (pair > 0) divergence += pair * std::log(pair / near);
    }
  }
  return divergence + of_p * std::log(z);
}

void layout_gradient(const std::vector<double>& p, const PlanePoints& y, double exaggeration,
                     PlanePoints& gradient) {
  const size_t n = y.size();
  PlanePoints apart(n);
  gradient.assign(n, {});
  double z = 0;
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < i; ++j) {
      const double x = y[i][0] - y[j][0], up = y[i][1] - y[j][1];
      const double near = 1 / (1 + x * x + up * up), pull = p[i * n + j] * near;
      z += 2 * near;
      for (const size_t axis : {0, 1}) {
        const double difference = axis == 0 ? x : up;
        gradient[i][axis] += pull * difference;
        gradient[j][axis] -= pull * difference;
        apart[i][axis] += near * near * difference;
        apart[j][axis] -= near * near * difference;
      }
    }
  }
  for (size_t i = 0; i < n; ++i) {
    for (const size_t axis : {0, 1}) {
      gradient[i][axis] = 4 * (exaggeration * gradient[i][axis] - apart[i][axis] / z);
    }
  }
}

PlanePoints neighbor_layout(const std::vector<double>& p, PlanePoints start) {
  constexpr int kExaggerated = 250, kSteps = 750;
  constexpr double kExaggeration = 12;
  const double rate = std::max(50.0, static_cast<double>(start.size()) / kExaggeration / 4);
  PlanePoints y = std::move(start), gradient, moved(y.size()), gains(y.size(), {1, 1});
  centre(y);
  scale_to(y, 1e-4);
  for (int step = 0; step < kSteps; ++step) {
    const bool is_early = step < kExaggerated;
    layout_gradient(p, y, is_early ? kExaggeration : 1, gradient);
    for (size_t i = 0; i < y.size(); ++i) {
      for (const size_t axis : {0, 1}) {
        double &gain = gains[i][axis], &move = moved[i][axis];
        gain = move * gradient[i][axis] < 0 ? gain + 0.2 : std::max(0.01, 0.8 * gain);
        move = (is_early ? 0.5 : 0.8) * move - rate * gain * gradient[i][axis];
        y[i][axis] += move;
      }
    }
  }
  centre(y);
  return y;
}

PlanePoints turned_to(PlanePoints points, const PlanePoints& target) {
  // Points as complex numbers p, targets t: the angle of sum conj(p) t, or of sum p t once
  // mirrored, whichever sum is longer.
  std::complex<double> turn = 0, mirrored_turn = 0;
  for (size_t i = 0; i < points.size(); ++i) {
    const std::complex<double> p(points[i][0], points[i][1]), t(target[i][0], target[i][1]);
    turn += std::conj(p) * t;
    mirrored_turn += p * t;
  }
  const bool is_mirrored = std::abs(mirrored_turn) > std::abs(turn);
  const std::complex<double> angle = std::polar(1.0, std::arg(is_mirrored ? mirrored_turn : turn));
  for (auto& point : points) {
    const std::complex<double> p(point[0], is_mirrored ? -point[1] : point[1]);
    point = {(p * angle).real(), (p * angle).imag()};
  }
  return points;
}

}  // namespace cria
